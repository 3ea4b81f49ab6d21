//! Signals to `illico exec`: its own until the agent says that the command runs, the command's from then on, and its own again
//! the second time. The agent is this test.

mod illico;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Stdio};

use illico::{beside, held_machine};
use illico_protocol::{Frame, HELLO, Reader, Request};
use rustix::process::{Pid, Signal, kill_process};

/// A command that was asked for, and the agent's end of its connection.
fn asked(folder: &Path, listener: &UnixListener) -> (Child, Reader<UnixStream>) {
    let child = beside(folder).args(["exec", "web", "true"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stream = listener.accept().unwrap().0;
    let mut line = String::new();
    // What follows the line comes after the answer.
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
    stream.write_all(b"OK 1\n").unwrap();
    let mut reader = Reader::new(stream);
    assert!(matches!(reader.read().unwrap(), Some(Frame::Request(request)) if matches!(*request, Request::Exec(_))));
    (child, reader)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn an_agent_that_says_nothing_holds_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let machine = held_machine(folder.path(), "web", "words");
    let listener = UnixListener::bind(machine.make_sockets().unwrap().join("vsock")).unwrap();
    for (number, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for greets in [false, true] {
            let (mut child, reader) = asked(folder.path(), &listener);
            if greets {
                let mut stream = reader.get_ref();
                stream.write_all(&HELLO).unwrap();
            }
            signal(&child, number);
            assert_eq!(child.wait().unwrap().code(), Some(status));
        }
    }
}

#[test]
fn a_command_that_runs_gets_the_first_signal_and_the_second_ends_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let machine = held_machine(folder.path(), "web", "words");
    let listener = UnixListener::bind(machine.make_sockets().unwrap().join("vsock")).unwrap();
    for (number, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (mut child, mut reader) = asked(folder.path(), &listener);
        let mut words = HELLO.to_vec();
        Frame::Started.encode(&mut words).unwrap();
        // Output behind it shows that it was heard.
        Frame::Stderr(b"begun\n").encode(&mut words).unwrap();
        let mut stream = reader.get_ref();
        stream.write_all(&words).unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "begun\n");
        signal(&child, number);
        let first = format!("{:?}", reader.read().unwrap());
        assert_eq!(first, format!("Some(Signal({}))", number.as_raw()));
        assert_eq!(child.try_wait().unwrap(), None);
        signal(&child, number);
        assert_eq!(child.wait().unwrap().code(), Some(status));
    }
}
