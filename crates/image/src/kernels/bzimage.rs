//! bzImage: where the compressed kernel lies in it (Linux Documentation/arch/x86/boot.rst,
//! "The Real-Mode Kernel Header").
//!
//! Only the payload is of use here: the ELF file inside is entered directly, so neither the 16-bit
//! set-up code nor the decompressor of the image ever runs. What the payload is compressed with is
//! recognised by its first bytes, as boot.rst describes for `payload_offset`.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use zerocopy::FromBytes;
use zerocopy::little_endian::{U16, U32};

/// The first protocol with `payload_offset` and `payload_length`, of Linux 2.6.26.
const FIRST_WITH_PAYLOAD: u16 = 0x0208;
/// Where the header begins.
const HEADER_AT: u64 = 0x1f1;
const SECTOR: u64 = 512;
/// How many sectors of set-up code there are where the header says none.
const OLD_SETUP_SECTORS: u8 = 4;

/// Why the kernel inside of a bzImage cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BzImageError {
    #[error("asking for its size")]
    Size(#[source] io::Error),
    #[error("reading {len} bytes at offset {offset:#x}")]
    Read {
        offset: u64,
        len: u64,
        #[source]
        source: io::Error,
    },
    #[error("truncated: {what} ends at byte {end}, the file has {size}")]
    Truncated { what: &'static str, end: u64, size: u64 },
    #[error("its boot protocol {}.{:02} is older than 2.08, the first that tells where the kernel lies", .0 >> 8, .0 & 0xff)]
    Old(u16),
    #[error(
        "its payload is compressed with {0}, which is not supported; unpack it with scripts/extract-vmlinux of the Linux source and give the vmlinux"
    )]
    Unsupported(&'static str),
    #[error("its payload is of no known format; it begins with the bytes {0}")]
    Unknown(String),
    #[error("unpacking its payload")]
    Unpack(#[source] io::Error),
    #[error("its payload unpacks to more than {0} MiB, which is no kernel")]
    TooLarge(u64),
    #[error("what its payload unpacks to is no ELF file")]
    NotElf,
    #[error("writing the unpacked kernel")]
    Write(#[source] io::Error),
}

/// `setup_header`, as far as `payload_length`.
#[derive(FromBytes)]
#[repr(C)]
struct SetupHeader {
    setup_sects: u8,
    _root_flags: U16,
    _syssize: U32,
    _ram_size: U16,
    _vid_mode: U16,
    _root_dev: U16,
    _boot_flag: U16,
    _jump: U16,
    _header: U32,
    version: U16,
    _to_payload: [u8; 0x40],
    payload_offset: U32,
    payload_length: U32,
}

/// How a payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Lz4,
    Xz,
    Zstd,
}

/// The compressed kernel in a bzImage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Where in the file it begins.
    pub offset: u64,
    /// How many bytes it has, of which the last four may be the unpacked size.
    pub len: u64,
    /// What it is compressed with.
    pub packing: Packing,
}

impl Payload {
    /// Finds it in a bzImage.
    pub fn find(file: &File) -> Result<Self, BzImageError> {
        let size = file.metadata().map_err(BzImageError::Size)?.len();
        let mut header = [0; size_of::<SetupHeader>()];
        read(file, size, "the setup header", HEADER_AT, &mut header)?;
        let header = SetupHeader::read_from_bytes(&header).map_err(|_| BzImageError::Old(0))?;
        let version = header.version.get();
        if version < FIRST_WITH_PAYLOAD {
            return Err(BzImageError::Old(version));
        }
        let sectors = if header.setup_sects == 0 { OLD_SETUP_SECTORS } else { header.setup_sects };
        // One sector more for the boot sector. None of these can overflow: 8 and 32 bits in 64.
        let setup = u64::from(sectors).saturating_add(1).saturating_mul(SECTOR);
        let offset = setup.saturating_add(header.payload_offset.get().into());
        let len = header.payload_length.get().into();
        let end = offset.saturating_add(len);
        if end > size {
            return Err(BzImageError::Truncated { what: "its payload", end, size });
        }
        let mut magic = [0; 6];
        read(file, size, "the magic of its payload", offset, &mut magic)?;
        Ok(Self { offset, len, packing: Packing::of(magic)? })
    }
}

impl Packing {
    fn of(magic: [u8; 6]) -> Result<Self, BzImageError> {
        match magic {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x02, 0x21, 0x4c, 0x18, ..] => Ok(Self::Lz4),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Ok(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            [b'B', b'Z', b'h', ..] => Err(BzImageError::Unsupported("bzip2")),
            [0x5d, 0, 0, ..] => Err(BzImageError::Unsupported("lzma")),
            [0x89, b'L', b'Z', b'O', ..] => Err(BzImageError::Unsupported("lzo")),
            other => Err(BzImageError::Unknown(other.map(|byte| format!("{byte:02x}")).join(" "))),
        }
    }
}

fn read(file: &File, size: u64, what: &'static str, offset: u64, out: &mut [u8]) -> Result<(), BzImageError> {
    let len = out.len() as u64;
    let end = offset.saturating_add(len);
    if end > size {
        return Err(BzImageError::Truncated { what, end, size });
    }
    file.read_exact_at(out, offset).map_err(|source| BzImageError::Read { offset, len, source })
}

#[cfg(test)]
#[path = "bzimage_test.rs"]
mod tests;
