#![allow(clippy::unwrap_used)]

use super::*;
use crate::Exec;

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    out
}

#[test]
fn a_frame_is_kind_length_and_bytes() {
    assert_eq!(encoded(&Frame::Stdout(b"hi")), b"\x04\x02\0\0\0hi");
    assert_eq!(encoded(&Frame::Resize(WindowSize { rows: 24, columns: 258 })), b"\x06\x04\0\0\0\x18\0\x02\x01");
    assert_eq!(encoded(&Frame::End(Ending::Exited(3))), b"\x0c\x0c\0\0\0{\"exited\":3}");
}

#[test]
fn long_data_becomes_several_frames_and_no_data_none() {
    let data = vec![7; MAX_DATA + 1];
    assert_eq!(encoded(&Frame::Data(&data)).len(), data.len() + 2 * HEADER);
    assert_eq!(encoded(&Frame::Data(&[])), b"");
}

#[test]
fn a_warning_is_one_frame_of_bounded_length() {
    let text = "ä".repeat(MAX_REASON);
    let bytes = encoded(&Frame::Warning(text.as_str().into()));
    let (_, body) = bytes.split_at(HEADER);
    let (start, _) = text.split_at(MAX_REASON);
    assert_eq!(Frame::parse(WARNING, body), Ok(Frame::Warning(start.into())));
    assert_eq!(Frame::parse(WARNING, b"\xff"), Ok(Frame::Warning("\u{fffd}".into())));
}

#[test]
fn a_request_that_is_too_long_is_not_sent() {
    let exec = Exec::new([String::from_utf8(vec![b'x'; MAX_REQUEST]).unwrap()]);
    let mut out = Vec::new();
    let error = Frame::Request(Cow::Owned(Request::Exec(exec))).encode(&mut out).unwrap_err();
    assert!(matches!(error, ProtocolError::TooLong { kind: REQUEST, .. }), "{error}");
    assert!(out.is_empty());
}

#[test]
fn sizes_and_values_that_no_frame_has_are_refused() {
    for (kind, body) in [(RESIZE, &b"\0\0\0"[..]), (SIGNAL, b""), (TAKEN, b"\0")] {
        assert_eq!(Frame::parse(kind, body), Err(ProtocolError::Size { kind, length: body.len() }));
    }
    for (kind, value) in [(SIGNAL, 0), (SIGNAL, 65), (CLOSED, 0), (CLOSED, 3)] {
        assert_eq!(Frame::parse(kind, &[value]), Err(ProtocolError::Value { kind, value }));
    }
    assert!(matches!(Frame::parse(REQUEST, b"{\"explode\":1}"), Err(ProtocolError::Json { .. })));
}
