#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::{Ending, Exec, MAX_DATA, Request, Stream, WindowSize, Word};

/// Frames that own what they hold.
#[derive(Debug, Clone)]
struct Sent(Frame<'static>);

fn some_frame() -> impl Strategy<Value = Sent> {
    let data = proptest::collection::vec(any::<u8>(), 1..300).prop_map(|data| &*data.leak());
    let word = proptest::collection::vec(1_u8.., 0..20).prop_map(|bytes| Word::new(bytes).unwrap());
    let words = proptest::collection::vec(word, 0..5);
    prop_oneof![
        data.clone().prop_map(Frame::Stdin),
        data.clone().prop_map(Frame::Stdout),
        data.clone().prop_map(Frame::Stderr),
        data.prop_map(Frame::Data),
        words.prop_map(|words| Frame::Request(Cow::Owned(Request::Exec(Exec::new(words))))),
        (any::<u64>(), any::<u32>())
            .prop_map(|(seconds, nanoseconds)| { Frame::Request(Cow::Owned(Request::Time { seconds, nanoseconds })) }),
        Just(Frame::StdinEnd),
        Just(Frame::DataEnd),
        ".{0,40}".prop_map(|text| Frame::Warning(text.into())),
        (any::<u16>(), any::<u16>()).prop_map(|(rows, columns)| Frame::Resize(WindowSize { rows, columns })),
        (1..=64_u8).prop_map(Frame::Signal),
        Just(Frame::Closed(Stream::Stdout)),
        Just(Frame::Closed(Stream::Stderr)),
        Just(Frame::Started),
        any::<u32>().prop_map(Frame::Taken),
        any::<u8>().prop_map(|status| Frame::End(Ending::Exited(status))),
        ".{0,40}".prop_map(|reason| Frame::End(Ending::NotFound(reason))),
    ]
    .prop_map(Sent)
}

fn greeted(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new();
    decoder.feed(&HELLO);
    decoder.feed(bytes);
    decoder
}

proptest! {
    #[test]
    fn frames_arrive_as_they_were_sent_however_the_stream_is_cut(
        sent in proptest::collection::vec(some_frame(), 0..12),
        cuts in proptest::collection::vec(1..50_usize, 1..40),
    ) {
        let mut stream = HELLO.to_vec();
        for Sent(frame) in &sent {
            frame.encode(&mut stream).unwrap();
        }
        let mut decoder = Decoder::new();
        let mut cuts = cuts.into_iter().cycle();
        let mut expected = sent.iter();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            decoder.feed(piece);
            rest = after;
            while let Some(frame) = decoder.next_frame().unwrap() {
                prop_assert_eq!(&frame, &expected.next().unwrap().0);
            }
        }
        prop_assert!(expected.next().is_none());
        prop_assert!(decoder.is_between_frames());
    }

    #[test]
    fn no_bytes_break_it_and_an_error_stays(bytes: Vec<u8>) {
        let mut decoder = greeted(&bytes);
        let first = loop {
            match decoder.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => break error,
            }
        };
        decoder.feed(&bytes);
        prop_assert_eq!(decoder.next_frame(), Err(first));
    }
}

#[test]
fn a_stranger_is_told_from_another_version() {
    let mut decoder = Decoder::new();
    decoder.feed(b"GET / HTTP/1.1");
    assert_eq!(decoder.next_frame(), Err(ProtocolError::Stranger(*b"GET / HT")));
    let mut decoder = Decoder::new();
    decoder.feed(b"illico\x07\x01");
    assert_eq!(decoder.next_frame(), Err(ProtocolError::Version { theirs: 0x107 }));
}

#[test]
fn a_length_beyond_the_bound_is_refused_by_its_header_alone() {
    let mut decoder = greeted(b"\x04\x01\0\x01\0");
    let (length, most) = (MAX_DATA as u32 + 1, MAX_DATA as u32);
    assert_eq!(decoder.next_frame(), Err(ProtocolError::TooLong { kind: 4, length, most }));
}

#[test]
fn half_a_frame_is_no_place_to_end() {
    let mut decoder = greeted(b"");
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.is_between_frames());
    decoder.feed(b"\x04");
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(!decoder.is_between_frames());
    assert!(!Decoder::new().is_between_frames());
}
