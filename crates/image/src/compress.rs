//! What layers and archives are compressed with, told by their first bytes: gzip (RFC 1952), zstd (RFC 8878), xz, bzip2, lzma
//! (the format of LZMA Utils, before xz), or nothing.
//! Media types are not asked: registries are full of layers whose type says otherwise.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const STEP: usize = 128 << 10;
/// The largest window that a decoder is given memory for: what `zstd --ultra -22` and `xz -9` need, and Linux is packed with.
pub(crate) const MAX_WINDOW: u64 = 128 << 20;
/// That, and what an xz decoder needs besides, in KiB.
pub(crate) const XZ_MEMORY_KIB: u32 = (MAX_WINDOW >> 10) as u32 + 1024;

/// A compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Lzma,
}

impl Compression {
    /// How many bytes are enough to tell.
    pub const START: usize = 13;

    /// Told by the first bytes, [`Self::START`] at most.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one that is to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // Behind the level, the first bytes of a block or, of nothing, those of the end.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                Self::Bzip2
            }
            start if is_lzma(start) => Self::Lzma,
            _ => Self::None,
        }
    }
}

/// The header of lzma has no magic number: the properties of all encoders, a dictionary as they make them, and a length that
/// is unknown or below 256 GiB. `xz` tells it so too.
fn is_lzma(start: &[u8]) -> bool {
    let Some((&[0x5d, a, b, c, d], rest)) = start.split_first_chunk::<5>() else { return false };
    let Some(&length) = rest.first_chunk::<8>() else { return false };
    let (dictionary, length) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(length));
    // A power of two, or one and a half of it.
    let is_usual = dictionary.is_power_of_two() || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    dictionary >= 1 << 12 && is_usual && (length == u64::MAX || length < 1 << 38)
}

/// Reads what is compressed in `source`.
pub fn unpacked<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = BufReader::with_capacity(STEP, source);
    let compression = Compression::of(source.fill_buf()?);
    Ok(match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(MultiGzDecoder::new(source)),
        Compression::Xz => Box::new(XzReader::new_mem_limit(source, true, XZ_MEMORY_KIB)),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(source)),
        Compression::Lzma => Box::new(LzmaReader::new_mem_limit(source, XZ_MEMORY_KIB, None)?),
        Compression::Zstd => {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(MAX_WINDOW);
            Box::new(Frames { source, decoder, begun: false })
        }
    })
}

/// All frames of a zstd stream, one after the other.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    begun: bool,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.begun && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBytes(STEP);
                self.decoder.decode_blocks(&mut self.source, some).map_err(invalid)?;
            } else if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.next_frame()?;
            }
        }
    }
}

impl<R: BufRead> Frames<R> {
    fn next_frame(&mut self) -> io::Result<()> {
        self.begun = false;
        match self.decoder.init(&mut self.source) {
            Ok(()) => self.begun = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                if skipped < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(invalid(error)),
        }
        Ok(())
    }
}

fn invalid(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
#[path = "compress_test.rs"]
mod tests;
