#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::os::unix::fs::FileExt;

use super::*;
use crate::kernels::testkit::{PACKINGS, bzimage, file, packed};

/// Something of several blocks of every format that begins like an ELF file, with calls for the x86
/// filter of xz to rewrite, and no two steps alike.
fn kernel() -> Vec<u8> {
    let mut bytes = b"\x7fELF".to_vec();
    for n in 0_u32..1_200_000 {
        bytes.extend([0xe8]);
        bytes.extend((n.wrapping_mul(2_654_435_761) >> 12).to_le_bytes());
        bytes.extend([0; 3]);
    }
    bytes
}

fn unpacked(payload: &[u8]) -> Result<Vec<u8>, BzImageError> {
    let image = bzimage(payload);
    let found = Payload::find(&file(&image))?;
    let out = tempfile::tempfile().unwrap();
    let len = unpack(&file(&image), &found, &out)?;
    let mut bytes = vec![0; out.metadata().unwrap().len() as usize];
    out.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes.len() as u64, len);
    Ok(bytes)
}

#[test]
fn every_compression_gives_back_what_went_in() {
    let kernel = kernel();
    for packing in PACKINGS {
        assert!(unpacked(&packed(&kernel, packing)).unwrap() == kernel, "{packing:?}");
    }
}

#[test]
fn a_stream_that_is_cut_off_is_an_error() {
    for packing in PACKINGS {
        let payload = packed(&kernel()[..200_000], packing);
        for len in [9, 20, payload.len() / 2, payload.len() - 12] {
            let result = unpacked(&payload[..len]);
            assert!(matches!(result, Err(BzImageError::Unpack(_))), "{packing:?} {len}: {:?}", result.map(|b| b.len()));
        }
    }
}

#[test]
fn what_is_no_elf_file_is_refused_at_its_first_bytes() {
    for packing in PACKINGS {
        assert!(matches!(unpacked(&packed(b"\x7fELGoats", packing)), Err(BzImageError::NotElf)), "{packing:?}");
        assert!(unpacked(&packed(b"", packing)).is_err(), "{packing:?}");
    }
}

/// A frame of run-length blocks: 4 bytes unpack to 128 KiB each.
#[test]
fn a_bomb_stops_at_the_bound() {
    let mut bomb = b"\x28\xb5\x2f\xfd\x00\x38".to_vec();
    bomb.extend([4 << 3, 0, 0, 0x7f, b'E', b'L', b'F']);
    for _ in 0..1000 {
        bomb.extend([0x02, 0x00, 0x10, 0x00]);
    }
    let image = file(&bzimage(&bomb));
    let payload = Payload::find(&image).unwrap();
    let out = tempfile::tempfile().unwrap();
    assert!(matches!(unpack_at_most(4 << 20, &image, &payload, &out), Err(BzImageError::TooLarge(4))));
    assert!(out.metadata().unwrap().len() <= 4 << 20);
}

#[test]
fn a_zstd_frame_cannot_have_a_window_that_no_kernel_needs() {
    let frame = |window: u8| [b"\x28\xb5\x2f\xfd\x00", [window].as_slice(), &[5 << 3 | 1, 0, 0], b"\x7fELF."].concat();
    assert_eq!(unpacked(&frame(17 << 3)).unwrap(), b"\x7fELF.");
    assert!(matches!(unpacked(&frame(18 << 3)), Err(BzImageError::Unpack(_))));
}

#[test]
fn an_lz4_block_cannot_be_longer_than_its_format_allows() {
    for len in [LZ4_PACKED as u32 + 1, 1000, u32::MAX] {
        let payload = [b"\x02\x21\x4c\x18".as_slice(), &len.to_le_bytes(), &[0; 100]].concat();
        assert!(matches!(unpacked(&payload), Err(BzImageError::Unpack(_))), "{len}");
    }
}
