//! What a hostile guest, image or command is called or says: no verb lets it steer the terminal.
//!
//! The machine is a folder of state that this test holds, and its agent is this test: each of its answers is hostile.

#![allow(clippy::disallowed_methods, reason = "tests start threads as they like")]

mod illico;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;

use illico::{beside, held_machine};
use illico_launch::vms::Ended;
use illico_memory::voice::steers;
use illico_protocol::{Ending, Frame, HELLO};

/// Clears the screen, changes its title, in one byte and in two; turns the direction of text; is not visible; forges a line.
const HOSTILE: &str =
    "\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}txt.exe\u{2066}\u{200b}\u{2028}\rillico: all is well\u{e0041}";

/// Runs a verb on the machines of this folder.
fn run(folder: &Path, words: &[&str]) -> Output {
    beside(folder).args(words).output().unwrap()
}

/// What came out, which steers nothing.
fn harmless(what: &[&str], output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8(said).unwrap();
    let found: Vec<_> = said.chars().filter(|&c| c != '\n' && steers(c)).collect();
    assert!(found.is_empty(), "{what:?} printed {found:?}: {said:?}");
    said
}

/// Answers each request with a hostile reason.
fn serve(listener: &UnixListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        let mut answer = b"OK 1\n".to_vec();
        answer.extend(HELLO);
        Frame::End(Ending::Failed(HOSTILE.to_owned())).encode(&mut answer).unwrap();
        // As an agent does it takes what comes until the other end has read the answer and leaves.
        let _ = stream.write_all(&answer).and_then(|()| std::io::copy(&mut stream, &mut std::io::sink()));
    }
}

#[test]
fn what_an_agent_says_steers_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let held = held_machine(folder.path(), "web", HOSTILE);
    let listener = UnixListener::bind(held.make_sockets().unwrap().join("vsock")).unwrap();
    std::thread::spawn(move || serve(&listener));
    fs::write(folder.path().join("file"), "content").unwrap();
    let verbs: [&[&str]; 5] = [
        &["exec", "web", "true"],
        &["kill", "-s", "USR1", "web"],
        &["cp", "web:/tmp/x", "copy"],
        &["cp", "file", "web:/tmp"],
        &["exec", "-e", "A=\x1b[2J", "web", "\x1b[2J"],
    ];
    for words in verbs {
        let said = harmless(words, &run(folder.path(), words));
        assert!(said.contains("?[2J") && said.contains("txt.exe"), "{words:?}: {said:?}");
        assert!(said.lines().all(|line| !line.starts_with("illico: all is well")), "{said:?}");
    }
}

#[test]
fn what_a_record_says_steers_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let held = held_machine(folder.path(), "web", HOSTILE);
    let listed: [&[&str]; 6] = [
        &["ps"],
        &["ps", "--all"],
        &["ps", "--json"],
        &["inspect", "web"],
        &["stats", "--prometheus"],
        &["top", "--once", "--interval", "1"],
    ];
    listed.iter().for_each(|words| drop(harmless(words, &run(folder.path(), words))));
    held.finish(&Ended::now(1, HOSTILE)).unwrap();
    for words in [
        &["ps", "--all", "--json"][..],
        &["inspect", "web"],
        &["wait", "web"],
        &["exec", "web", "true"],
        &["rm", "web"],
    ] {
        harmless(words, &run(folder.path(), words));
    }
}

#[test]
fn what_a_person_got_wrong_is_shown_and_steers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "\x1b[2J\u{202e}x";
    let words: [&[&str]; 8] = [
        &["run", evil],
        &["run", "--net", evil, "--", "true"],
        &["run", "--kernel", evil, "--", "true"],
        &["boot", "--kernel", evil],
        &["import", evil, "name"],
        &["kernel", "add", "name", evil],
        &["diff", evil, evil],
        &[evil],
    ];
    for words in words {
        let output = run(folder.path(), words);
        assert_eq!(output.status.code(), Some(125), "{words:?}");
        assert!(!harmless(words, &output).is_empty(), "{words:?} says nothing");
    }
}
