#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::*;
use crate::kernels::testkit::{PACKINGS, bzimage, file, packed};

fn find(image: &[u8]) -> Result<Payload, BzImageError> {
    Payload::find(&file(image))
}

fn told(image: &[u8]) -> String {
    find(image).unwrap_err().to_string()
}

#[test]
fn the_payload_is_found_and_its_compression_recognised() {
    for packing in PACKINGS {
        let payload = packed(b"kernel", packing);
        let found = find(&bzimage(&payload)).unwrap();
        assert_eq!(found, Payload { offset: 40 * 512 + 0x2cc, len: payload.len() as u64, packing });
    }
}

#[test]
fn no_setup_sectors_means_four() {
    let mut image = bzimage(b"");
    image[0x1f1] = 0;
    image[0x248..0x24c].copy_from_slice(&0_u32.to_le_bytes());
    image[5 * 512..5 * 512 + 4].copy_from_slice(&[0x1f, 0x8b, 8, 0]);
    assert_eq!(find(&image).unwrap().offset, 5 * 512);
}

#[test]
fn a_truncated_image_is_told_wherever_it_ends() {
    let image = bzimage(&packed(b"kernel", Packing::Zstd));
    for len in 0x206..image.len() - 64 {
        assert!(matches!(find(&image[..len]), Err(BzImageError::Truncated { .. })), "{len}");
    }
    assert!(find(&image[..image.len() - 64]).is_ok());
}

#[test]
fn what_cannot_be_unpacked_is_named() {
    assert!(told(&bzimage(b"BZh91AY&SY")).starts_with("its payload is compressed with bzip2, which is not supported"));
    assert!(told(&bzimage(b"\x5d\0\0\x80\0\xff")).contains("lzma"));
    assert!(told(&bzimage(b"\x89LZO\0\r\n")).contains("lzo"));
    assert!(told(&bzimage(b"abcdefgh")).ends_with("61 62 63 64 65 66"));
    let mut old = bzimage(&packed(b"kernel", Packing::Gzip));
    old[0x206..0x208].copy_from_slice(&0x0207_u16.to_le_bytes());
    assert!(told(&old).starts_with("its boot protocol 2.07 is older than 2.08"));
}
