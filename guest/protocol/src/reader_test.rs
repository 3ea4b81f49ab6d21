#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::*;
use crate::{Ending, HELLO, ProtocolError};

#[test]
fn it_reads_until_the_other_end_is_done() {
    let (mut there, here) = UnixStream::pair().unwrap();
    let mut bytes = HELLO.to_vec();
    Frame::Stdout(b"out").encode(&mut bytes).unwrap();
    Frame::End(Ending::DONE).encode(&mut bytes).unwrap();
    there.write_all(&bytes).unwrap();
    drop(there);
    let mut reader = Reader::new(here);
    assert_eq!(reader.read().unwrap(), Some(Frame::Stdout(b"out")));
    assert_eq!(reader.read().unwrap(), Some(Frame::End(Ending::DONE)));
    assert_eq!(reader.read().unwrap(), None);
}

#[test]
fn an_end_within_a_frame_is_an_error() {
    let mut bytes = HELLO.to_vec();
    bytes.push(4);
    let error = Reader::new(&bytes[..]).read().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_is_no_frame_is_said_to_be_none() {
    let mut bytes = HELLO.to_vec();
    bytes.extend([99, 0, 0, 0, 0]);
    let error = Reader::new(&bytes[..]).read().unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ProtocolError>());
    assert_eq!(inner, Some(&ProtocolError::Kind(99)));
}
