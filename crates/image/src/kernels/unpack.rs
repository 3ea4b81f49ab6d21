//! Unpacking the payload of a bzImage, whatever it is compressed with, into a file.
//!
//! The payload is a stranger's: what it unpacks to is bounded, must begin like an ELF file, and a
//! decoder is never given a window that takes more memory than a kernel needs. Linux appends the
//! unpacked size to formats that do not have it, so up to four bytes may follow the stream.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs::File;
use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::bzimage::{BzImageError, Packing, Payload};
use crate::compress::{MAX_WINDOW, XZ_MEMORY_KIB};
use crate::file_part::FilePart;

/// The most that a kernel unpacks to. Distributions are at 60 MiB.
const MAX_UNPACKED: u64 = 512 << 20;
/// A block of the legacy format of lz4 unpacks to this at most (lz4 doc/lz4_Frame_format.md).
const LZ4_BLOCK: usize = 8 << 20;
/// And takes up this at most: the bound of the block format.
const LZ4_PACKED: usize = LZ4_BLOCK + LZ4_BLOCK / 255 + 16;
/// What Linux appends at most.
const TRAILER: u64 = 4;
const STEP: usize = 256 << 10;

/// Unpacks the payload of `image` to the end of `out` and gives the number of bytes.
pub(super) fn unpack(image: &File, payload: &Payload, out: &File) -> Result<u64, BzImageError> {
    unpack_at_most(MAX_UNPACKED, image, payload, out)
}

fn unpack_at_most(most: u64, image: &File, payload: &Payload, out: &File) -> Result<u64, BzImageError> {
    let section = FilePart { file: image, at: payload.offset, left: payload.len };
    let mut sink = Sink { out, len: 0, most };
    match payload.packing {
        Packing::Gzip => sink.pump(GzDecoder::new(section)),
        Packing::Xz => sink.pump(XzReader::new_mem_limit(section, false, XZ_MEMORY_KIB)),
        Packing::Zstd => sink.pump(zstd(section)?),
        Packing::Lz4 => lz4(section, &mut sink),
    }?;
    if sink.len == 0 {
        return Err(BzImageError::NotElf);
    }
    Ok(sink.len)
}

/// The unpacked kernel, which is bounded and an ELF file.
struct Sink<'a> {
    out: &'a File,
    len: u64,
    most: u64,
}

impl Sink<'_> {
    fn pump(&mut self, mut from: impl Read) -> Result<(), BzImageError> {
        let mut step = vec![0; STEP];
        loop {
            let mut filled = 0;
            // A whole step at a time: decoders give much smaller pieces.
            while let Some(rest) = step.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match from.read(rest) {
                    Ok(0) => break,
                    Ok(got) => filled = filled.saturating_add(got),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(BzImageError::Unpack(error)),
                }
            }
            if filled == 0 {
                return Ok(());
            }
            self.put(step.get(..filled).unwrap_or_default())?;
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BzImageError> {
        if self.len == 0 && !bytes.starts_with(b"\x7fELF") {
            return Err(BzImageError::NotElf);
        }
        self.len = self.len.saturating_add(bytes.len() as u64);
        if self.len > self.most {
            return Err(BzImageError::TooLarge(self.most >> 20));
        }
        (&mut &*self.out).write_all(bytes).map_err(BzImageError::Write)
    }
}

fn zstd(section: FilePart<'_>) -> Result<impl Read, BzImageError> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW);
    StreamingDecoder::new_with_decoder(section, decoder).map_err(|error| BzImageError::Unpack(io::Error::other(error)))
}

/// The legacy format of lz4: blocks of up to 8 MiB, each after its length.
fn lz4(mut section: FilePart<'_>, sink: &mut Sink<'_>) -> Result<(), BzImageError> {
    let mut magic = [0; 4];
    section.read_exact(&mut magic).map_err(BzImageError::Unpack)?;
    let (mut packed, mut unpacked) = (Vec::new(), vec![0; LZ4_BLOCK]);
    while section.left > TRAILER {
        let mut len = [0; 4];
        section.read_exact(&mut len).map_err(BzImageError::Unpack)?;
        let len = u32::from_le_bytes(len) as usize;
        if len > LZ4_PACKED || len as u64 > section.left {
            return Err(invalid("an lz4 block is longer than it can be"));
        }
        packed.resize(len, 0);
        section.read_exact(&mut packed).map_err(BzImageError::Unpack)?;
        let got = lz4_flex::block::decompress_into(&packed, &mut unpacked);
        let got = got.map_err(|error| BzImageError::Unpack(io::Error::other(error)))?;
        sink.put(unpacked.get(..got).unwrap_or_default())?;
    }
    Ok(())
}

fn invalid(what: &'static str) -> BzImageError {
    BzImageError::Unpack(io::Error::new(io::ErrorKind::InvalidData, what))
}

#[cfg(test)]
#[path = "unpack_test.rs"]
mod tests;
