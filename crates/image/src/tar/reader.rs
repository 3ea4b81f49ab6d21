//! Reads an archive entry by entry, in one pass.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use super::header::{GnuSparse, Header, Type, gnu_pairs, text};
use super::pax::Records;
use super::sparse::{SEGMENTS_MAX, Segment, checked};
use super::{BLOCK, EXTENSION_MAX, TarError};
use crate::tree::{Device, Timestamp};

/// One entry: what it says about itself, without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Vec<u8>,
    /// What a hard or symbolic link leads to.
    pub link: Vec<u8>,
    pub kind: Type,
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Timestamp,
    pub device: Device,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The length of the file.
    pub size: u64,
    /// Which parts of it are stored, in the order of the data.
    pub segments: Vec<Segment>,
    /// Where the stored data begins in the archive.
    pub offset: u64,
}

/// An archive that is being read.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    /// How much was read.
    at: u64,
    /// What is left of this entry's data, and what fills its last block.
    left: u64,
    padding: u64,
    global: Records,
}

impl<R: Read> Reader<R> {
    /// At the start of an archive.
    pub fn new(inner: R) -> Self {
        Self { inner, at: 0, left: 0, padding: 0, global: Records::default() }
    }

    /// The next entry; `None` at the end of the archive, behind which more may follow in the stream.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut records = self.global.clone();
        let mut long_name = None;
        let mut long_link = None;
        loop {
            self.skip_data()?;
            let Some(block) = self.block()? else { return Ok(None) };
            let Some(header) = Header::parse(&block)? else { return Ok(None) };
            let size = header.size()?;
            match header.typeflag {
                b'x' => records.parse(&self.extension(size)?)?,
                b'g' => {
                    let bytes = self.extension(size)?;
                    self.global.parse(&bytes)?;
                    records.parse(&bytes)?;
                }
                b'L' => long_name = Some(until_nul(self.extension(size)?)),
                b'K' => long_link = Some(until_nul(self.extension(size)?)),
                // The name of the volume.
                b'V' => self.announce(size),
                _ => return self.entry(header, records, long_name, long_link).map(Some),
            }
        }
    }

    /// The data of the entry that was read last; it need not be read.
    pub fn data(&mut self) -> impl Read {
        Data { reader: self }
    }

    /// What follows the archive in its stream, the archive's own padding first.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn entry(
        &mut self,
        header: &Header,
        records: Records,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, TarError> {
        let path = records.sparse.name.clone().or(records.path.clone()).or(long_name).unwrap_or_else(|| header.path());
        let kind = match header.typeflag {
            // Version 7 marks directories by their name only. What has data is a file whatever its name.
            b'\0' | b'0' if path.ends_with(b"/") && records.size.map_or_else(|| header.size(), Ok)? == 0 => {
                Type::Directory
            }
            b'\0' | b'0' | b'7' | b'S' => Type::File,
            b'1' => Type::HardLink,
            b'2' => Type::Symlink,
            b'3' => Type::CharDevice,
            b'4' => Type::BlockDevice,
            b'5' => Type::Directory,
            b'6' => Type::Fifo,
            other => return Err(TarError::Type(other)),
        };
        // Links, directories and devices have no data, though some archivers note the size of what they lead to. POSIX
        // allows hard links with data, and says so by the pax size.
        let stored = match (kind, records.size) {
            (Type::File | Type::HardLink, Some(size)) => size,
            (Type::File, None) => header.size()?,
            _ => 0,
        };
        if stored > i64::MAX as u64 {
            return Err(TarError::Size);
        }
        self.announce(stored);
        let (size, segments) = self.content(header, &records, stored)?;
        let (major, minor) = match kind {
            Type::CharDevice | Type::BlockDevice => header.device()?,
            _ => (0, 0),
        };
        let link = records.linkpath.or(long_link);
        Ok(Entry {
            path,
            link: link.unwrap_or_else(|| text(&header.linkname).to_vec()),
            kind,
            mode: header.mode()?,
            uid: records.uid.map_or_else(|| header.uid(), Ok)?,
            gid: records.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: records.mtime.map_or_else(|| header.mtime().map(whole), Ok)?,
            device: Device { major, minor },
            xattrs: records.xattrs,
            size,
            segments,
            offset: self.at,
        })
    }

    /// The length of a file and which parts of it follow.
    fn content(&mut self, header: &Header, records: &Records, stored: u64) -> Result<(u64, Vec<Segment>), TarError> {
        if header.typeflag == b'S' {
            let GnuSparse { mut pairs, mut more, size } = header.gnu_sparse()?;
            while more {
                // These blocks are not counted as data.
                let block = self.block()?.ok_or(TarError::Truncated)?;
                pairs.extend(gnu_pairs(block.get(..504).unwrap_or_default())?);
                more = block.get(504).is_some_and(|&byte| byte != 0);
                if pairs.len() > SEGMENTS_MAX {
                    return Err(TarError::Sparse);
                }
            }
            return Ok((size, checked(&pairs, size, stored)?));
        }
        let Some(size) = records.sparse.size else {
            let whole = Segment { offset: 0, len: stored };
            return Ok((stored, if stored > 0 { vec![whole] } else { Vec::new() }));
        };
        let numbers = match &records.sparse.map {
            Some(numbers) => numbers.clone(),
            None if records.sparse.major == Some(1) => self.map_before_data()?,
            None => return Err(TarError::Sparse),
        };
        let pairs: Vec<(u64, u64)> =
            numbers.chunks(2).map(|pair| (first(pair), pair.get(1).copied().unwrap_or_default())).collect();
        Ok((size, checked(&pairs, size, self.left)?))
    }

    /// The map of version 1.0: decimal lines, the first with the number of pairs, filled up to a block.
    fn map_before_data(&mut self) -> Result<Vec<u64>, TarError> {
        let mut numbers = Vec::new();
        let mut wanted = None;
        let mut digits: Option<u64> = None;
        while wanted.is_none_or(|wanted| numbers.len() < wanted) {
            let mut block = [0; BLOCK as usize];
            self.data().read_exact(&mut block).map_err(read_error)?;
            for byte in block {
                match (byte, digits) {
                    (b'0'..=b'9', _) => {
                        let value = digits.unwrap_or_default().checked_mul(10);
                        digits = value.and_then(|value| value.checked_add(u64::from(byte & 0xf)));
                        if digits.is_none() {
                            return Err(TarError::Sparse);
                        }
                    }
                    (b'\n', Some(value)) if wanted.is_none() => {
                        let pairs = usize::try_from(value).ok().filter(|&pairs| pairs <= SEGMENTS_MAX);
                        wanted = Some(pairs.ok_or(TarError::Sparse)?.saturating_mul(2));
                        digits = None;
                    }
                    (b'\n', Some(value)) => {
                        numbers.push(value);
                        digits = None;
                    }
                    _ => return Err(TarError::Sparse),
                }
                if wanted.is_some_and(|wanted| numbers.len() == wanted) {
                    break;
                }
            }
        }
        Ok(numbers)
    }

    fn announce(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK).saturating_sub(size);
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > EXTENSION_MAX {
            return Err(TarError::LongExtension(size));
        }
        self.announce(size);
        let mut bytes = vec![0; size as usize];
        self.data().read_exact(&mut bytes).map_err(read_error)?;
        Ok(bytes)
    }

    fn skip_data(&mut self) -> Result<(), TarError> {
        let wanted = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.inner).take(wanted), &mut io::sink()).map_err(TarError::Read)?;
        self.at = self.at.saturating_add(skipped);
        self.left = 0;
        self.padding = 0;
        if skipped < wanted { Err(TarError::Truncated) } else { Ok(()) }
    }

    /// The next block; `None` where the stream ends, which some archivers' archives do without a block of zeros.
    fn block(&mut self) -> Result<Option<[u8; BLOCK as usize]>, TarError> {
        let mut block = [0; BLOCK as usize];
        let mut filled = 0_usize;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TarError::Truncated),
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(TarError::Read(error)),
            }
        }
        self.at = self.at.saturating_add(BLOCK);
        Ok(Some(block))
    }
}

/// Reads no further than the entry's data.
struct Data<'a, R> {
    reader: &'a mut Reader<R>,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.reader.inner).take(self.reader.left).read(buffer)?;
        self.reader.left = self.reader.left.saturating_sub(count as u64);
        self.reader.at = self.reader.at.saturating_add(count as u64);
        Ok(count)
    }
}

fn read_error(error: io::Error) -> TarError {
    if error.kind() == ErrorKind::UnexpectedEof { TarError::Truncated } else { TarError::Read(error) }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn first(pair: &[u64]) -> u64 {
    pair.first().copied().unwrap_or_default()
}

fn whole(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanoseconds: 0 }
}

#[cfg(test)]
#[path = "reader_test.rs"]
mod tests;
