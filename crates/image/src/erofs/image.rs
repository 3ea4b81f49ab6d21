//! An image that is being written: first the data of files, in any order, then everything else at once.
//!
//! What is not written stays a hole of the host's file: bytes that are zero cost nothing, and neither do blocks that are
//! given back, which are punched out before others get them.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};

use super::extents::Extents;
use super::superblock::{self, Superblock};
use super::{BLOCK, HUGE, blocks, metadata};
use crate::tree::Tree;

/// How much is read and written at once.
const STEP: usize = 256 << 10;

/// Where the data of a file lies in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Data {
    pub(super) block: u32,
    pub(super) size: u64,
}

impl Data {
    /// The length of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where it begins in the image.
    pub fn offset(&self) -> u64 {
        u64::from(self.block).saturating_mul(BLOCK)
    }
}

/// An EROFS image without a superblock, so far.
#[derive(Debug)]
pub struct Image {
    file: File,
    extents: Extents,
    limit: u64,
    buffer: Vec<u8>,
}

/// Why an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system of the host.
    #[error("cannot write the image")]
    Write(#[source] io::Error),
    /// Where the data comes from.
    #[error("cannot read its data")]
    Read(#[source] io::Error),
    #[error("{missing} bytes of its data are missing")]
    Short { missing: u64 },
    #[error("unpacked, the image is larger than {limit} bytes (--max allows more)")]
    TooLarge { limit: u64 },
}

impl Image {
    /// An image in an empty file, which may have at most `limit` bytes.
    pub fn create(file: File, limit: u64) -> Self {
        // The format counts blocks with 32 bits.
        let limit = limit.min(BLOCK.saturating_mul(u32::MAX.into()));
        Self { file, extents: Extents::from(1), limit, buffer: vec![0; STEP] }
    }

    /// Room for a file of this size. It reads as zeros until it is written.
    pub fn allocate(&mut self, size: u64) -> Result<Data, WriteError> {
        if size == 0 {
            return Ok(Data::default());
        }
        if size > self.limit {
            return Err(WriteError::TooLarge { limit: self.limit });
        }
        let block = self.extents.take(blocks(size));
        self.within_limit()?;
        let block = u32::try_from(block).map_err(|_| WriteError::TooLarge { limit: self.limit })?;
        Ok(Data { block, size })
    }

    /// Copies `len` bytes from `source` to `offset` in a file. What would be behind its end is not copied.
    pub fn write(&mut self, data: Data, offset: u64, len: u64, source: &mut dyn Read) -> Result<(), WriteError> {
        let mut left = len.min(data.size.saturating_sub(offset));
        let mut at = data.offset().saturating_add(offset);
        while left > 0 {
            // Up to the end of a block, so that blocks of zeros can be seen.
            let step = (STEP as u64).saturating_sub(at % BLOCK).min(left);
            let Some(buffer) = self.buffer.get_mut(..step as usize) else { break };
            let count = fill(source, buffer).map_err(WriteError::Read)?;
            write_unless_zero(&self.file, buffer.get(..count).unwrap_or_default(), at).map_err(WriteError::Write)?;
            left = left.saturating_sub(count as u64);
            at = at.saturating_add(count as u64);
            if (count as u64) < step {
                return Err(WriteError::Short { missing: left });
            }
        }
        Ok(())
    }

    /// Takes back what a file had.
    pub fn free(&mut self, data: Data) {
        let len = blocks(data.size);
        let bytes = len.saturating_mul(BLOCK);
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // The next user of these blocks expects zeros. Where holes cannot be punched they are not reused.
        if len > 0 && fallocate(&self.file, punch, data.offset(), bytes).is_ok() {
            self.extents.give(data.block.into(), len);
        }
    }

    /// Writes the tree and the superblock. Says how long the file then is; it is not synced.
    pub fn finish(mut self, tree: &Tree, uuid: [u8; 16]) -> Result<(File, u64), WriteError> {
        let plan = metadata::Plan::new(tree, &mut self.extents);
        self.within_limit()?;
        let start = self.extents.end();
        let end = start.saturating_add(blocks(plan.len()));
        let len = end.saturating_mul(BLOCK).next_multiple_of(HUGE);
        let (Ok(meta_blkaddr), Ok(total)) = (u32::try_from(start), u32::try_from(end)) else {
            return Err(WriteError::TooLarge { limit: self.limit });
        };
        if len > self.limit.next_multiple_of(HUGE) {
            return Err(WriteError::TooLarge { limit: self.limit });
        }
        plan.write(tree, &self.file, start.saturating_mul(BLOCK)).map_err(WriteError::Write)?;
        let superblock = Superblock::new(plan.root(), plan.inodes(), total, meta_blkaddr, uuid);
        self.file.write_all_at(&superblock.block(), superblock::OFFSET).map_err(WriteError::Write)?;
        self.file.set_len(len).map_err(WriteError::Write)?;
        Ok((self.file, len))
    }

    fn within_limit(&self) -> Result<(), WriteError> {
        let used = self.extents.end().saturating_mul(BLOCK);
        if used > self.limit { Err(WriteError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes the runs of blocks that are not all zero.
fn write_unless_zero(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    let zero = |block: &[u8]| block.iter().all(|&byte| byte == 0);
    while !bytes.is_empty() {
        let mut run = 0_usize;
        let mut all_zero = None;
        // The first block may be a part of one, if `at` is inside of it.
        let first = BLOCK.saturating_sub(at % BLOCK) as usize;
        while let Some(rest) = bytes.get(run..).filter(|rest| !rest.is_empty()) {
            let len = if run == 0 { first } else { BLOCK as usize }.min(rest.len());
            let is_zero = zero(rest.get(..len).unwrap_or_default());
            if *all_zero.get_or_insert(is_zero) != is_zero {
                break;
            }
            run = run.saturating_add(len);
        }
        let (this, rest) = bytes.split_at_checked(run).unwrap_or((bytes, &[]));
        if all_zero == Some(false) {
            file.write_all_at(this, at)?;
        }
        at = at.saturating_add(run as u64);
        bytes = rest;
    }
    Ok(())
}

#[cfg(test)]
#[path = "image_test.rs"]
mod tests;
