//! Inodes (struct erofs_inode_extended) and the extended attributes that follow them (struct erofs_xattr_ibody_header,
//! erofs_xattr_entry). All attributes are kept with their inode; none are shared.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::tree::{Device, Inode, Kind};

/// Size of an extended inode.
pub(super) const SIZE: u64 = 64;
/// Inodes lie at multiples of this, and are numbered by them.
pub(super) const SLOT: u64 = 32;
const XATTR_HEADER: usize = 12;
/// The kernel stores values with a 16-bit length.
pub const VALUE_MAX: usize = 0xffff;
/// What `i_xattr_icount` can say, with a margin: one header and 65,534 units of four bytes.
pub const XATTRS_MAX: usize = 200 << 10;

/// Whether data follows the inode, or where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// EROFS_INODE_FLAT_PLAIN: data at this block.
    Plain(u32),
    /// EROFS_INODE_FLAT_INLINE: all of it follows the inode.
    Inline,
}

#[derive(Debug, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub(super) struct Extended {
    i_format: U16,
    i_xattr_icount: U16,
    i_mode: U16,
    i_reserved: U16,
    i_size: U64,
    i_u: U32,
    i_ino: U32,
    i_uid: U32,
    i_gid: U32,
    i_mtime: U64,
    i_mtime_nsec: U32,
    i_nlink: U32,
    i_reserved2: [u8; 16],
}

const _: () = assert!(size_of::<Extended>() as u64 == SIZE);

impl Extended {
    pub(super) fn new(inode: &Inode, layout: Layout, size: u64, nlink: u32, number: u32, xattrs: usize) -> Self {
        let union = match (&inode.kind, layout) {
            (Kind::CharDevice(device) | Kind::BlockDevice(device), _) => encoded(*device),
            (_, Layout::Plain(block)) => block,
            (_, Layout::Inline) => 0,
        };
        let datalayout: u16 = match layout {
            Layout::Plain(_) => 0,
            Layout::Inline => 2,
        };
        let icount = match xattrs.checked_sub(XATTR_HEADER) {
            Some(entries) => entries.div_ceil(4).saturating_add(1) as u16,
            None => 0,
        };
        let attributes = &inode.attributes;
        // Nothing looks at the permissions of a symbolic link, and Linux shows them all as these.
        let permissions = if matches!(inode.kind, Kind::Symlink(_)) { 0o777 } else { attributes.mode & 0o7777 };
        Self {
            i_format: (1 | (datalayout << 1)).into(),
            i_xattr_icount: icount.into(),
            i_mode: (type_bits(&inode.kind) | permissions).into(),
            i_reserved: 0.into(),
            i_size: size.into(),
            i_u: union.into(),
            i_ino: number.into(),
            i_uid: attributes.uid.into(),
            i_gid: attributes.gid.into(),
            i_mtime: (attributes.mtime.seconds as u64).into(),
            i_mtime_nsec: attributes.mtime.nanoseconds.into(),
            i_nlink: nlink.into(),
            i_reserved2: [0; 16],
        }
    }
}

/// The file type in st_mode.
fn type_bits(kind: &Kind) -> u16 {
    match kind {
        Kind::Fifo => 0o010_000,
        Kind::CharDevice(_) => 0o020_000,
        Kind::Directory(_) => 0o040_000,
        Kind::BlockDevice(_) => 0o060_000,
        Kind::File(_) => 0o100_000,
        Kind::Symlink(_) => 0o120_000,
        Kind::Socket => 0o140_000,
    }
}

/// The file type in entries of directories (include/linux/fs_types.h, FT_*).
pub(super) fn file_type(kind: &Kind) -> u8 {
    match kind {
        Kind::File(_) => 1,
        Kind::Directory(_) => 2,
        Kind::CharDevice(_) => 3,
        Kind::BlockDevice(_) => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
        Kind::Symlink(_) => 7,
    }
}

/// new_encode_dev() of include/linux/kdev_t.h: the minor's lower eight bits, the major, the minor's other bits.
fn encoded(device: Device) -> u32 {
    (device.minor & 0xff) | ((device.major & 0xfff) << 8) | ((device.minor & 0xf_ff00) << 12)
}

/// The prefixes that have a number instead of a name (EROFS_XATTR_INDEX_*).
const PREFIXES: [(u8, &[u8]); 5] = [
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (1, b"user."),
    (4, b"trusted."),
    (6, b"security."),
];

/// The number of a name's prefix, and the rest of the name. Linux has no other attributes on such a file system.
pub fn xattr_index(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|&(index, prefix)| {
        let rest = name.strip_prefix(prefix)?;
        // The names of access control lists are whole, the others need more than their prefix.
        (matches!(index, 2 | 3) == rest.is_empty()).then_some((index, rest))
    })
}

/// The attributes as they follow the inode; nothing if there are none.
pub(super) fn xattrs(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in xattrs {
        let Some((index, name)) = xattr_index(name) else { continue };
        if bytes.is_empty() {
            bytes.resize(XATTR_HEADER, 0);
        }
        bytes.extend([name.len() as u8, index]);
        bytes.extend((value.len() as u16).to_le_bytes());
        bytes.extend(name);
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
