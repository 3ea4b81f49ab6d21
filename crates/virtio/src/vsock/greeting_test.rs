#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::Write;

use super::*;

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// What is made of these bytes, and what is left to be read behind the line.
fn said(bytes: &[u8]) -> (Greeting, Vec<u8>) {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(bytes).unwrap();
    drop(theirs);
    let greeting = read(&ours);
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).unwrap();
    (greeting, rest)
}

#[test]
fn a_port_is_read_and_what_follows_is_left_alone() {
    assert_eq!(said(b"CONNECT 1024\n"), (Greeting::Port(1024), vec![]));
    assert_eq!(said(b"CONNECT 0\n\n"), (Greeting::Port(0), b"\n".to_vec()));
    assert_eq!(said(b"CONNECT 4294967295\nCONNECT 5\n"), (Greeting::Port(u32::MAX), b"CONNECT 5\n".to_vec()));
}

#[test]
fn other_words_are_wrong() {
    for bytes in [
        &b"CONNECT\n"[..],
        b"CONNECT \n",
        b"CONNECT +5\n",
        b"CONNECT -5\n",
        b"CONNECT 5 \n",
        b"CONNECT 5\r\n",
        b"CONNECT 4294967296\n",
        b"CONNECT 00000000000000000005\n",
        b"connect 5\n",
        b"GET / HTTP/1.1",
        b"\n",
        b"",
    ] {
        assert_eq!(said(bytes).0, Greeting::Wrong, "{bytes:?}");
    }
}

#[test]
fn a_line_may_come_in_pieces() {
    let (ours, mut theirs) = pair();
    assert_eq!(read(&ours), Greeting::Unfinished);
    for byte in b"CONNECT 52" {
        theirs.write_all(&[*byte]).unwrap();
        assert_eq!(read(&ours), Greeting::Unfinished);
    }
    theirs.write_all(b"\nhello").unwrap();
    assert_eq!(read(&ours), Greeting::Port(52));
}
