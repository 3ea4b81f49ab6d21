#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::testkit::{gzip, plain, zstd};

fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    unpacked(bytes)?.read_to_end(&mut all)?;
    Ok(all)
}

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn every_compression_is_recognised() {
    for pack in [gzip, plain, zstd] {
        assert!(read(&pack(&content())).unwrap() == content());
        assert!(read(&pack(b"")).unwrap().is_empty());
    }
}

#[test]
fn parts_that_follow_each_other_are_one() {
    for pack in [gzip, zstd] {
        assert_eq!(read(&[pack(b"one, "), pack(b"two")].concat()).unwrap(), b"one, two");
    }
}

#[test]
fn what_is_cut_off_is_an_error() {
    for pack in [gzip, zstd] {
        let packed = pack(&content());
        for cut in [3, 9, 20, packed.len() / 2, packed.len() - 1] {
            assert!(read(&packed[..cut]).is_err() || cut < 6, "{cut}");
        }
    }
}

#[test]
fn a_window_that_takes_too_much_memory_is_refused() {
    // RFC 8878 section 3.1.1.1.2: 2 to the power of 10 + 21 bytes.
    assert!(read(&[0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]).is_err());
}

#[test]
fn what_xz_writes_is_read() {
    let mut xz = Command::new("xz").args(["-c", "-1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = xz.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&content()).unwrap());
    let packed = xz.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    assert!(read(&packed).unwrap() == content());
}
