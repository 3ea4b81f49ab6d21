//! bzImages, made byte by byte for tests.

use std::fs::File;
use std::io::Write;

use super::bzimage::Packing;

/// As much of a kernel as this crate looks at.
pub(super) const KERNEL: &[u8] = b"\x7fELF\x02\x01\x01: a kernel of these bytes";

/// A bzImage with this payload, after as many sectors of set-up code as Linux has.
pub(super) fn bzimage(payload: &[u8]) -> Vec<u8> {
    const SECTORS: usize = 39;
    const OFFSET: usize = 0x2cc;
    let mut image = vec![0; (SECTORS + 1) * 512 + OFFSET];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x1f1, &[SECTORS as u8]);
    put(0x1fe, &[0x55, 0xaa]);
    put(0x202, b"HdrS");
    put(0x206, &0x020f_u16.to_le_bytes());
    put(0x248, &(OFFSET as u32).to_le_bytes());
    put(0x24c, &(payload.len() as u32).to_le_bytes());
    image.extend(payload);
    image.extend([0xcc; 64]);
    image
}

/// `bytes` as Linux packs its kernel: the size follows the stream unless the format has it inside.
pub(super) fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    let size = (bytes.len() as u32).to_le_bytes();
    match packing {
        Packing::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(bytes).unwrap();
            packed.finish().unwrap()
        }
        Packing::Zstd => {
            let packed = ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
            [packed.as_slice(), &size].concat()
        }
        Packing::Xz => {
            let mut options = lzma_rust2::XzOptions::with_preset(1);
            options.set_check_sum_type(lzma_rust2::CheckType::Crc32);
            options.prepend_pre_filter(lzma_rust2::FilterType::BcjX86, 0);
            let mut packed = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            packed.write_all(bytes).unwrap();
            [packed.finish().unwrap().as_slice(), &size].concat()
        }
        Packing::Lz4 => {
            let mut packed = vec![0x02, 0x21, 0x4c, 0x18];
            for block in bytes.chunks(8 << 20) {
                let block = lz4_flex::block::compress(block);
                packed.extend((block.len() as u32).to_le_bytes());
                packed.extend(block);
            }
            [packed.as_slice(), &size].concat()
        }
    }
}

pub(super) const PACKINGS: [Packing; 4] = [Packing::Gzip, Packing::Lz4, Packing::Xz, Packing::Zstd];

pub(super) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}
