//! bzImages made here, around what the `zstd` and `lz4` programs compressed.

use std::fs;
use std::process::Command;

use super::{PAYLOAD_LENGTH, PAYLOAD_OFFSET, SETUP_SECTORS, unpack};

const ELF: &[u8] = b"\x7fELF and what follows it, again and again, and again and again";

fn compressed(program: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("elf");
    fs::write(&file, ELF).expect("written");
    let output = Command::new(program).args(options).arg("-c").arg(&file).output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// An image with two setup sectors and the payload 16 bytes into the protected-mode code.
fn image(payload: &[u8], size: u32) -> Vec<u8> {
    let mut image = vec![0; 3 * 512 + 16];
    image[SETUP_SECTORS] = 2;
    image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16_u32.to_le_bytes());
    image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&(payload.len() as u32 + 4).to_le_bytes());
    image.extend(payload);
    image.extend(size.to_le_bytes());
    image
}

#[test]
fn zstd_and_legacy_lz4_payloads_come_out() {
    for payload in [compressed("zstd", &["-q"]), compressed("lz4", &["-q", "-l"])] {
        assert_eq!(unpack(&image(&payload, ELF.len() as u32)).expect("well formed"), ELF);
    }
}

#[test]
fn a_payload_of_another_size_than_it_says_is_refused() {
    let error = unpack(&image(&compressed("zstd", &["-q"]), 1)).expect_err("one byte was promised");
    assert!(error.to_string().contains("instead of 1"), "{error}");
}

#[test]
fn a_payload_that_is_cut_short_is_refused() {
    let mut payload = compressed("zstd", &["-q"]);
    payload.truncate(payload.len() - 6);
    unpack(&image(&payload, ELF.len() as u32)).expect_err("zstd notices");
}

#[test]
fn a_file_that_is_no_bzimage_is_refused() {
    for bytes in [&b""[..], b"text", &[0xff; 4096], &[0; 4096]] {
        unpack(bytes).expect_err("there is no payload in it");
    }
}
