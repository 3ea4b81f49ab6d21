//! A block request as the driver lays it out (VirtIO 1.3 § 5.2.6): a header of 16 bytes, data, and a
//! status byte, wherever the driver cut the descriptors.
//!
//! It is looked at once and checked here: what comes out lies within the disk. Nothing is read from or
//! written to a file, and zoned devices, secure erase and lifetime are unknown requests.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use illico_memory::Buffers;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::chain::Chain;

/// The unit of addresses and lengths, whatever block size the disk has (§ 5.2.4).
pub const SECTOR: u64 = 512;

/// Ranges of one discard or write zeroes request at most, as the configuration space says.
pub const MAX_SEGMENTS: usize = 16;

/// Sectors of one range to be discarded at most: 1 GiB, so that no request takes for ever.
pub const MAX_DISCARD_SECTORS: u32 = 1 << 21;

/// Sectors of one range to be zeroed at most: 64 MiB, which may have to be written out.
pub const MAX_ZEROES_SECTORS: u32 = 1 << 17;

/// Bytes of an identity (§ 5.2.6).
pub const ID_BYTES: usize = 20;

const T_IN: u32 = 0;
const T_OUT: u32 = 1;
const T_FLUSH: u32 = 4;
const T_GET_ID: u32 = 8;
const T_DISCARD: u32 = 11;
const T_WRITE_ZEROES: u32 = 13;

/// Bytes of one range as the driver writes it.
const SEGMENT: usize = 16;

/// Of a write zeroes range: the blocks may be given back.
const FLAG_UNMAP: u32 = 1;

/// The last byte of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// Not done, or not all of it.
    IoError = 1,
    /// Not a request that this disk knows.
    Unsupported = 2,
}

/// What the driver wants, checked against the disk. Data is what the chain holds besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Fill the writable buffers from the byte at `position`.
    Read {
        /// Where in the disk.
        position: u64,
    },
    /// Write the readable buffers to the byte at `position`.
    Write {
        /// Where in the disk.
        position: u64,
    },
    /// Put every write that was completed on stable storage.
    Flush,
    /// The ranges are of no use to the driver any more.
    Discard(Box<Segments>),
    /// Make the ranges read as zeros.
    WriteZeroes(Box<Segments>),
    /// Fill the writable buffers with the disk's identity.
    GetId,
}

/// Bytes of the disk that a discard or write zeroes request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// The first byte.
    pub position: u64,
    /// How many bytes, perhaps none.
    pub len: u64,
    /// Whether the blocks may be given back (write zeroes).
    pub unmap: bool,
}

/// The ranges of one request that are still to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    list: [Segment; MAX_SEGMENTS],
    next: usize,
    count: usize,
}

impl Segments {
    /// The next range, or the next `most` bytes of it.
    pub(super) fn next_piece(&mut self, most: u64) -> Option<Segment> {
        let next = self.list.get_mut(self.next).filter(|_| self.next < self.count)?;
        if next.len <= most {
            return self.next();
        }
        let piece = Segment { len: most, ..*next };
        next.position = next.position.saturating_add(most);
        next.len = next.len.saturating_sub(most);
        Some(piece)
    }

    /// Lets the range that came last come again.
    pub(super) fn put_back(&mut self, segment: Segment) {
        if let Some(before) = self.next.checked_sub(1)
            && let Some(slot) = self.list.get_mut(before)
        {
            (*slot, self.next) = (segment, before);
        }
    }
}

impl Iterator for Segments {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let segment = self.list.get(self.next).filter(|_| self.next < self.count)?;
        self.next = self.next.saturating_add(1);
        Some(*segment)
    }
}

/// A request that is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no byte that could hold a status: the driver would never know.
    #[error("a request without a status byte")]
    NoStatus,
    /// This status, for this reason.
    #[error("{why}")]
    With {
        /// What the driver is told.
        status: Status,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// What a request is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Sectors of the disk.
    pub sectors: u64,
    /// Whether it may not be changed.
    pub readonly: bool,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    kind: U32,
    reserved: U32,
    sector: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawSegment {
    sector: U64,
    sectors: U32,
    flags: U32,
}

const fn refuse(status: Status, why: &'static str) -> Refusal {
    Refusal::With { status, why }
}

const SHORT_HEADER: Refusal = refuse(Status::IoError, "a request with less than a header");
const OUTSIDE: Refusal = refuse(Status::IoError, "a range that is not on the disk");
const READONLY: Refusal = refuse(Status::IoError, "a change of a read-only disk");
const UNKNOWN: Refusal = refuse(Status::Unsupported, "a type of request that is not offered");
const UNKNOWN_FLAG: Refusal = refuse(Status::Unsupported, "a flag that is not defined for this type");
const BAD_LENGTH: Refusal = refuse(Status::IoError, "data of a length that is not allowed");

impl Request {
    /// Takes a chain apart. Its status byte goes to `status` (an empty list), its header is consumed,
    /// and what is left in it is data.
    pub fn parse(chain: &mut Chain, status: &mut Buffers, extent: Extent) -> Result<Self, Refusal> {
        // The status byte first: whatever else is wrong can then be said.
        let last = chain.writable.len().checked_sub(1).ok_or(Refusal::NoStatus)?;
        chain.writable.split_off(last, status).map_err(|_| Refusal::NoStatus)?;

        let mut header = Header::new_zeroed();
        chain.readable.copy_to(0, header.as_mut_bytes()).map_err(|_| SHORT_HEADER)?;
        chain.readable.advance(size_of::<Header>()).map_err(|_| SHORT_HEADER)?;

        match header.kind.get() {
            T_IN => {
                let position = extent.locate(header.sector.get(), chain.writable.len() as u64)?;
                Ok(Self::Read { position })
            }
            T_OUT => {
                extent.check_writable()?;
                let position = extent.locate(header.sector.get(), chain.readable.len() as u64)?;
                Ok(Self::Write { position })
            }
            T_FLUSH => Ok(Self::Flush),
            T_GET_ID => Ok(Self::GetId),
            T_DISCARD => {
                extent.check_writable()?;
                Ok(Self::Discard(extent.segments(&chain.readable, 0, MAX_DISCARD_SECTORS)?))
            }
            T_WRITE_ZEROES => {
                extent.check_writable()?;
                Ok(Self::WriteZeroes(extent.segments(&chain.readable, FLAG_UNMAP, MAX_ZEROES_SECTORS)?))
            }
            _ => Err(UNKNOWN),
        }
    }
}

impl Extent {
    fn check_writable(self) -> Result<(), Refusal> {
        if self.readonly { Err(READONLY) } else { Ok(()) }
    }

    /// The byte at which `sector` begins, if `len` bytes from there on are whole sectors of the disk.
    fn locate(self, sector: u64, len: u64) -> Result<u64, Refusal> {
        if !len.is_multiple_of(SECTOR) {
            return Err(BAD_LENGTH);
        }
        let end = sector.checked_add(len / SECTOR).ok_or(OUTSIDE)?;
        if end > self.sectors {
            return Err(OUTSIDE);
        }
        sector.checked_mul(SECTOR).ok_or(OUTSIDE)
    }

    fn segments(self, data: &Buffers, known_flags: u32, max_sectors: u32) -> Result<Box<Segments>, Refusal> {
        let count = data.len() / SEGMENT;
        if count == 0 || count > MAX_SEGMENTS || !data.len().is_multiple_of(SEGMENT) {
            return Err(BAD_LENGTH);
        }
        let mut list = [Segment::default(); MAX_SEGMENTS];
        for (index, slot) in list.iter_mut().take(count).enumerate() {
            let mut raw = RawSegment::new_zeroed();
            let at = index.saturating_mul(SEGMENT);
            data.copy_to(at, raw.as_mut_bytes()).map_err(|_| BAD_LENGTH)?;
            if raw.flags.get() & !known_flags != 0 {
                return Err(UNKNOWN_FLAG);
            }
            if raw.sectors.get() > max_sectors {
                return Err(BAD_LENGTH);
            }
            let len = u64::from(raw.sectors.get()).saturating_mul(SECTOR);
            let position = self.locate(raw.sector.get(), len)?;
            *slot = Segment { position, len, unmap: raw.flags.get() & FLAG_UNMAP != 0 };
        }
        // On the heap: these requests are rare, and every other one is carried around with their size.
        Ok(Box::new(Segments { list, next: 0, count }))
    }
}

#[cfg(test)]
#[path = "request_test.rs"]
mod tests;
