#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::Read;

use super::*;

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn a_digest_reads_as_it_is_written() {
    let digest: Digest = EMPTY.parse().unwrap();
    assert_eq!(digest, Digest::of(b""));
    assert_eq!(digest.to_string(), EMPTY);
    assert_eq!(digest.short(), "e3b0c44298fc");
}

#[test]
fn what_is_no_sha256_is_refused() {
    for text in
        ["", "sha256:", "sha256:e3b0", "sha512:00", &EMPTY.to_uppercase(), &EMPTY.replace('e', "E"), &EMPTY[7..]]
    {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
    assert!("sha256:éééééééééééééééééééééééééééééééé".parse::<Digest>().is_err());
}

#[test]
fn reading_sums_up_what_was_read() {
    let mut summed = Summed::new(&b"hello"[..]);
    let mut read = Vec::new();
    summed.read_to_end(&mut read).unwrap();
    assert_eq!(summed.finish(), (Digest::of(b"hello"), 5));
}
