#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::testkit::{bzip2, gzip, plain, zstd};

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
    for pack in [gzip, plain, zstd, bzip2] {
        assert!(read(&pack(&content())).unwrap() == content());
        assert!(read(&pack(b"")).unwrap().is_empty());
    }
}

#[test]
fn lzma_is_recognised_without_a_magic_number() {
    let start = |dictionary: u32, length: u64| {
        Compression::of(&[&[0x5d][..], &dictionary.to_le_bytes(), &length.to_le_bytes()].concat())
    };
    assert_eq!(start(8 << 20, u64::MAX), Compression::Lzma);
    assert_eq!(start(12 << 20, 1 << 30), Compression::Lzma);
    for (dictionary, length) in [(0, 0), (5 << 20, 0), (8 << 20, 1 << 40), (1 << 11, 0)] {
        assert_eq!(start(dictionary, length), Compression::None, "{dictionary} {length}");
    }
    // A tar whose first file is named ']'.
    assert_eq!(Compression::of(b"]\0\0\0\0\0\0\0\0\0\0\0\0"), Compression::None);
}

#[test]
fn what_xz_writes_as_lzma_is_read() {
    let mut child =
        Command::new("xz").args(["--format=lzma", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&content()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(read(&output.stdout).unwrap() == content());
    assert!(read(&output.stdout[..output.stdout.len() / 2]).is_err());
}

#[test]
fn parts_that_follow_each_other_are_one() {
    for pack in [gzip, zstd, bzip2] {
        assert_eq!(read(&[pack(b"one, "), pack(b"two")].concat()).unwrap(), b"one, two");
    }
}

#[test]
fn what_is_cut_off_is_an_error() {
    for pack in [gzip, zstd, bzip2] {
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
