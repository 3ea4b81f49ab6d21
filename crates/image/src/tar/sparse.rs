//! Sparse files: which parts of a file an archive has. The rest reads as zeros.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::TarError;

/// How many parts a file may have.
pub(super) const SEGMENTS_MAX: usize = 1 << 18;

/// A part of a file that the archive has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub offset: u64,
    pub len: u64,
}

/// Segments in their order that do not overlap, lie in the file, and are all that is stored.
pub(super) fn checked(pairs: &[(u64, u64)], size: u64, stored: u64) -> Result<Vec<Segment>, TarError> {
    if pairs.len() > SEGMENTS_MAX {
        return Err(TarError::Sparse);
    }
    let mut end = 0_u64;
    let mut sum = 0_u64;
    let mut segments = Vec::new();
    for &(offset, len) in pairs {
        if offset < end {
            return Err(TarError::Sparse);
        }
        end = offset.checked_add(len).filter(|&end| end <= size).ok_or(TarError::Sparse)?;
        sum = sum.checked_add(len).ok_or(TarError::Sparse)?;
        if len > 0 {
            segments.push(Segment { offset, len });
        }
    }
    if sum != stored {
        return Err(TarError::Sparse);
    }
    Ok(segments)
}
