//! A hostile other end of the agent's protocol: bytes that are nearly frames, cut anywhere. Whatever is understood is
//! encoded to a frame that reads the same, and no more is kept than one frame may have.

#![no_main]

use arbitrary::Arbitrary;
use illico_protocol::{Decoder, Frame, HELLO, MAX_REQUEST, RunSpec};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Piece {
    Frame { kind: u8, body: Vec<u8> },
    Lying { kind: u8, length: u32, body: Vec<u8> },
    Cut,
}

#[derive(Arbitrary, Debug)]
struct Plan {
    greets: bool,
    pieces: Vec<Piece>,
}

fuzz_target!(|plan: Plan| {
    let mut decoder = Decoder::new();
    let mut bytes = if plan.greets { HELLO.to_vec() } else { Vec::new() };
    for piece in plan.pieces {
        let (kind, length, body) = match piece {
            Piece::Cut => {
                if take(&mut decoder, &std::mem::take(&mut bytes)) {
                    return;
                }
                continue;
            }
            Piece::Frame { kind, body } => (kind % 14, body.len() as u32, body),
            Piece::Lying { kind, length, body } => (kind, length, body),
        };
        // Where a request may be, a run spec may be too.
        let _ = RunSpec::from_json(&body);
        bytes.push(kind);
        bytes.extend(length.to_le_bytes());
        bytes.extend(body);
    }
    take(&mut decoder, &bytes);
});

/// True once the decoder has given up.
fn take(decoder: &mut Decoder, bytes: &[u8]) -> bool {
    decoder.feed(bytes);
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => same(&frame),
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

fn same(frame: &Frame<'_>) {
    let mut again = HELLO.to_vec();
    // Escapes may make JSON longer than it came.
    if frame.encode(&mut again).is_err() {
        return;
    }
    assert!(again.len() <= MAX_REQUEST + HELLO.len() + 5);
    let mut decoder = Decoder::new();
    decoder.feed(&again);
    match decoder.next_frame().unwrap() {
        // Reasons are cut, and no data is no frame.
        Some(Frame::End(ending)) => assert!(matches!(frame, Frame::End(e) if e.status() == ending.status())),
        Some(decoded) => assert_eq!(&decoded, frame),
        None => assert!(matches!(frame, Frame::Stdin([]) | Frame::Stdout([]) | Frame::Stderr([]) | Frame::Data([]))),
    }
}
