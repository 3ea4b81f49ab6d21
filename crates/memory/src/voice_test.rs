use std::io::{Read, pipe};

use rustix::io::ioctl_fionbio;

use super::*;

#[test]
fn nothing_that_a_guest_says_steers_a_terminal() {
    let said = "a\x1b[2J\r\n\u{9b}31m\u{202e}exe.txt\u{200b}\u{2066}b\u{2028}\u{feff}c\td\u{e0041}";
    assert_eq!(printable(said), "a?[2J???31m?exe.txt??b??c d?");
}

#[test]
fn words_of_any_language_are_left_alone() {
    let said = "é ß 漢字 עברית عربي 🦀 ~ \u{a0}";
    assert_eq!(printable(said), said);
}

#[test]
fn a_full_pipe_holds_nobody_up_and_says_later_what_is_missing() {
    let (mut reader, writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'.'; 1000]).is_ok() {}
    while rustix::io::write(&writer, b".").is_ok() {}
    ioctl_fionbio(&writer, false).unwrap();
    let dropped = AtomicU64::new(0);
    // Each of them would wait for ever.
    (0..50).for_each(|n| write(&writer, &format!("illico: line {n}"), &dropped));
    assert_eq!(dropped.load(Ordering::Relaxed), 50);
    let mut filler = vec![0; 1 << 20];
    let _ = reader.read(&mut filler).unwrap();
    write(&writer, "illico: the next", &dropped);
    write(&writer, "illico: the one after", &dropped);
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    let said = said.trim_start_matches('.');
    assert_eq!(
        said,
        "illico: 50 lines were dropped: standard error was not read\nillico: the next\nillico: the one after\n"
    );
}

#[test]
fn a_line_without_end_is_cut_to_what_a_pipe_takes_at_once() {
    let (mut reader, writer) = pipe().unwrap();
    let dropped = AtomicU64::new(1);
    write(&writer, &"é".repeat(100_000), &dropped);
    drop(writer);
    let mut said = Vec::new();
    reader.read_to_end(&mut said).unwrap();
    assert!(said.len() <= PIPE_BUF, "{}", said.len());
    assert!(String::from_utf8(said).unwrap().ends_with("é\n"));
}
