//! Tar archives, as layers and saved images are written: POSIX ustar and pax (POSIX.1-2017, pax "ustar Interchange Format" and
//! "pax Header Block"), GNU's long names and sparse files (GNU tar manual, "Basic Tar Format"), version 7.
//!
//! An entry is what the archive says it is; what that means for a tree is decided elsewhere. Archives are foreign: whatever
//! an entry announces besides its data is bounded before memory is taken for it.

mod header;
mod pax;
mod reader;
mod sparse;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use header::Type;
pub use reader::{Entry, Reader};
pub use sparse::Segment;

/// Archives are made of blocks of this size.
pub const BLOCK: u64 = 512;
/// What an entry may say about itself in pax records or GNU long names. Linux has no attribute of more than 64 KiB and no path of
/// more than 4 KiB.
const EXTENSION_MAX: u64 = 1 << 20;

/// Why bytes are not a valid tar archive.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    #[error("cannot read")]
    Read(#[source] std::io::Error),
    #[error("it ends in the middle of an entry")]
    Truncated,
    #[error("a header's checksum is wrong")]
    Checksum,
    #[error("a numeric field of a header is invalid")]
    Number,
    #[error("its size is negative or beyond 8 EiB")]
    Size,
    #[error("its type is '{}', which layers do not have", .0.escape_ascii())]
    Type(u8),
    #[error("it has {0} bytes of pax records or of a long name; 1 MiB is allowed")]
    LongExtension(u64),
    #[error("a pax record is malformed")]
    Pax,
    #[error("its map of a sparse file is wrong")]
    Sparse,
}

/// Whether this is how a tar begins.
pub fn begins(start: &[u8]) -> bool {
    let block = start.first_chunk::<{ BLOCK as usize }>();
    block.is_some_and(|block| header::Header::parse(block).is_ok())
}

#[cfg(test)]
#[path = "differential_test.rs"]
mod differential_tests;
