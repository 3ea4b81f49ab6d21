//! EROFS images, written from the format's description (Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h;
//! the core on-disk format). A part of the format is enough: blocks of 4 KiB, nothing compressed, extended inodes.
//!
//! From the start of the file: the superblock in block 0; the data of files and of large directories, each at a
//! block of its own; the metadata, inodes with what fits beside them. Data comes first because it is written while layers are
//! still being read, metadata last because only then it is known.
//!
//! The layout is made for memory that the guest maps (virtio-pmem, DAX): the kernel maps files of this kind (FLAT_PLAIN)
//! page by page from the device, and those of 2 MiB and more by huge pages, since they begin at such a boundary.
//! The same tree gives the same bytes.

mod directory;
mod extents;
mod image;
mod inode;
mod metadata;
mod superblock;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use image::{Data, Image, WriteError};
pub use inode::{VALUE_MAX, XATTRS_MAX, xattr_index};

/// Size of a block, and of a page of the guest.
pub const BLOCK: u64 = 4096;
/// Where files begin that the guest can map by huge pages, and a multiple of which the image's length is: the kernel
/// takes persistent memory only in such sections.
pub const HUGE: u64 = 2 << 20;

/// How many blocks hold `bytes`.
const fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK)
}
