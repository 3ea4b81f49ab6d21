//! The superblock (struct erofs_super_block), 1024 bytes behind the start.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::BLOCK;

pub(super) const MAGIC: u32 = 0xe0f5_e1e2;
pub(super) const OFFSET: u64 = 1024;
/// EROFS_FEATURE_COMPAT_SB_CHKSUM: `checksum` is kept.
const SB_CHKSUM: u32 = 1;
/// EROFS_FEATURE_COMPAT_MTIME: times of inodes are times of modification.
const MTIME: u32 = 2;

#[derive(Debug, Clone, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub(super) struct Superblock {
    pub(super) magic: U32,
    checksum: U32,
    feature_compat: U32,
    blkszbits: u8,
    sb_extslots: u8,
    root_nid: U16,
    inos: U64,
    build_time: U64,
    build_time_nsec: U32,
    blocks: U32,
    meta_blkaddr: U32,
    xattr_blkaddr: U32,
    uuid: [u8; 16],
    volume_name: [u8; 16],
    feature_incompat: U32,
    reserved: [u8; 44],
}

const _: () = assert!(size_of::<Superblock>() == 128);

impl Superblock {
    /// A file system without a date, so that the same content gives the same bytes.
    pub(super) fn new(root_nid: u16, inodes: u64, blocks: u32, meta_blkaddr: u32, uuid: [u8; 16]) -> Self {
        Self {
            magic: MAGIC.into(),
            checksum: 0.into(),
            feature_compat: (SB_CHKSUM | MTIME).into(),
            blkszbits: BLOCK.trailing_zeros() as u8,
            sb_extslots: 0,
            root_nid: root_nid.into(),
            inos: inodes.into(),
            build_time: 0.into(),
            build_time_nsec: 0.into(),
            blocks: blocks.into(),
            meta_blkaddr: meta_blkaddr.into(),
            xattr_blkaddr: 0.into(),
            uuid,
            volume_name: [0; 16],
            feature_incompat: 0.into(),
            reserved: [0; 44],
        }
    }

    /// Block 0 from [`OFFSET`] on, its checksum filled in.
    pub(super) fn block(&self) -> Vec<u8> {
        let fill = |superblock: &Self| {
            let mut block = superblock.as_bytes().to_vec();
            block.resize(BLOCK.saturating_sub(OFFSET) as usize, 0);
            block
        };
        let checksum = crc32c(&fill(&Self { checksum: 0.into(), ..self.clone() }));
        fill(&Self { checksum: checksum.into(), ..self.clone() })
    }
}

/// CRC-32C (Castagnoli) as the kernel's crc32c(~0, ...) has it: without the final complement.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of the CRC's catalogue entry is complemented.
        assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn the_checksum_covers_the_rest_of_the_block() {
        let block = Superblock::new(36, 1, 2, 1, [7; 16]).block();
        let superblock = Superblock::read_from_prefix(&block).map(|(superblock, _)| superblock).ok();
        let checksum = superblock.map(|superblock| superblock.checksum.get());
        let mut zeroed = block.clone();
        zeroed.get_mut(4..8).into_iter().for_each(|bytes| bytes.fill(0));
        assert_eq!(checksum, Some(crc32c(&zeroed)));
        assert_eq!(block.len(), 3072);
    }
}
