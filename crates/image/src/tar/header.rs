//! One header block (POSIX "ustar Interchange Format"; GNU's variant in the fields that differ).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::TarError;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) name: [u8; 100],
    mode: [u8; 8],
    uid: [u8; 8],
    gid: [u8; 8],
    size: [u8; 12],
    mtime: [u8; 12],
    checksum: [u8; 8],
    pub(super) typeflag: u8,
    pub(super) linkname: [u8; 100],
    magic: [u8; 8],
    user: [u8; 32],
    group: [u8; 32],
    devmajor: [u8; 8],
    devminor: [u8; 8],
    /// A ustar prefix of the name, or GNU's times and map of a sparse file.
    tail: [u8; 167],
}

const _: () = assert!(size_of::<Header>() as u64 == super::BLOCK);

/// A map of GNU's old sparse files.
#[derive(Debug)]
pub(super) struct GnuSparse {
    /// Offsets and lengths.
    pub(super) pairs: Vec<(u64, u64)>,
    /// Whether a block with more of them follows.
    pub(super) more: bool,
    /// The length of the file.
    pub(super) size: u64,
}

impl Header {
    /// A header whose checksum holds; `None` for a block of zeros, which ends an archive.
    pub(super) fn parse(block: &[u8; 512]) -> Result<Option<&Self>, TarError> {
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let header = Self::ref_from_bytes(block).map_err(|_| TarError::Truncated)?;
        let sums = |byte_value: fn(u8) -> i64| {
            let all: i64 = block.iter().map(|&byte| byte_value(byte)).sum();
            let own: i64 = header.checksum.iter().map(|&byte| byte_value(byte)).sum();
            // The checksum's own bytes count as spaces.
            all.saturating_sub(own).saturating_add(8 * 0x20)
        };
        let told = number(&header.checksum)?;
        // Some old archivers took bytes for signed.
        if told != sums(i64::from) && told != sums(|byte| i64::from(byte as i8)) {
            return Err(TarError::Checksum);
        }
        Ok(Some(header))
    }

    pub(super) fn size(&self) -> Result<u64, TarError> {
        u64::try_from(number(&self.size)?).map_err(|_| TarError::Size)
    }

    pub(super) fn mode(&self) -> Result<u16, TarError> {
        Ok((number(&self.mode)? & 0o7777) as u16)
    }

    pub(super) fn uid(&self) -> Result<u32, TarError> {
        u32::try_from(number(&self.uid)?).map_err(|_| TarError::Number)
    }

    pub(super) fn gid(&self) -> Result<u32, TarError> {
        u32::try_from(number(&self.gid)?).map_err(|_| TarError::Number)
    }

    pub(super) fn mtime(&self) -> Result<i64, TarError> {
        number(&self.mtime)
    }

    pub(super) fn device(&self) -> Result<(u32, u32), TarError> {
        let number = |field| u32::try_from(number(field)?).map_err(|_| TarError::Number);
        Ok((number(&self.devmajor)?, number(&self.devminor)?))
    }

    /// The name with its ustar prefix.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.name);
        let prefix = self.prefix();
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The ustar prefix, which has 155 bytes, or 131 in star's archives, where times follow.
    ///
    /// GNU's magic ("ustar  ") has times in its place. Old writers (Go before 1.8 among them) wrote the magic with a prefix all
    /// the same; so what does not read as times is a prefix, as for Go's reader, which all container engines use.
    fn prefix(&self) -> &[u8] {
        let field = |len| text(self.tail.get(..len).unwrap_or_default());
        if self.magic.starts_with(b"ustar\0") {
            return field(if self.tail.ends_with(b"tar\0") { 131 } else { 155 });
        }
        // A sparse file has its map here.
        if !self.magic.starts_with(b"ustar  ") || self.typeflag == b'S' {
            return b"";
        }
        let is_time = |at: usize| {
            let time = self.tail.get(at..at.saturating_add(12)).unwrap_or_default();
            time.first() == Some(&0) || number(time).is_ok()
        };
        let prefix = field(155);
        if is_time(0) && is_time(12) || !prefix.is_ascii() { b"" } else { prefix }
    }

    /// The map of GNU's old sparse files, or the beginning of it.
    pub(super) fn gnu_sparse(&self) -> Result<GnuSparse, TarError> {
        // At 386, 482 and 483 of the block.
        let pairs = gnu_pairs(self.tail.get(41..137).ok_or(TarError::Sparse)?)?;
        let more = self.tail.get(137).is_some_and(|&byte| byte != 0);
        let real = number(self.tail.get(138..150).ok_or(TarError::Sparse)?)?;
        Ok(GnuSparse { pairs, more, size: u64::try_from(real).map_err(|_| TarError::Sparse)? })
    }
}

/// Pairs of GNU's old sparse maps, up to the first that is empty.
pub(super) fn gnu_pairs(bytes: &[u8]) -> Result<Vec<(u64, u64)>, TarError> {
    let mut pairs = Vec::new();
    for pair in bytes.chunks_exact(24) {
        let (offset, len) = pair.split_at_checked(12).ok_or(TarError::Sparse)?;
        if offset.first().is_none_or(|&byte| byte == 0) {
            break;
        }
        let number = |field| u64::try_from(number(field)?).map_err(|_| TarError::Sparse);
        pairs.push((number(offset)?, number(len)?));
    }
    Ok(pairs)
}

/// Up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal digits between spaces and NULs; or, if the first bit is set, a number in two's complement (GNU).
fn number(field: &[u8]) -> Result<i64, TarError> {
    let Some((&first, rest)) = field.split_first() else { return Ok(0) };
    if first & 0x80 != 0 {
        // The marker is the highest bit; the one below it is the sign.
        let start: i64 = if first & 0x40 != 0 { i64::from(first as i8) } else { i64::from(first & 0x3f) };
        return rest.iter().try_fold(start, |value, &byte| {
            value.checked_mul(256).and_then(|value| value.checked_add(i64::from(byte))).ok_or(TarError::Number)
        });
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    let digits = digits.get(..end).unwrap_or_default();
    digits
        .iter()
        .try_fold(0_i64, |value, &digit| match digit {
            b'0'..=b'7' => value.checked_mul(8).and_then(|value| value.checked_add(i64::from(digit & 7))),
            _ => None,
        })
        .ok_or(TarError::Number)
}
