//! The kernel's own counters (`KVM_GET_STATS_FD`, api.rst § 4.134): header, descriptors, data, in a file.
//!
//! What KVM handled without us is only known from here. Cumulative counters, peaks and present values are
//! one number each; of a histogram we give the sum of its buckets, the number of events. A running guest
//! may be read at any time. The bytes are the kernel's, but the format is wide open, so they are parsed
//! as if they were not.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;

use kvm_bindings::{KVM_STATS_TYPE_LINEAR_HIST, KVM_STATS_TYPE_LOG_HIST, KVM_STATS_TYPE_MASK};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::KvmError;

/// `_IO(KVMIO, 0xce)`
const KVM_GET_STATS_FD: libc::c_ulong = 0xaece;

const ATTEMPT: &str = "read the statistics of KVM";

/// More than any KVM has of either; the file of 6.12 is about 6 KiB.
const MAX_FILE: usize = 1 << 20;

#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    flags: U32,
    name_size: U32,
    num_desc: U32,
    id_offset: U32,
    desc_offset: U32,
    data_offset: U32,
}

/// Followed by the name, of `name_size` bytes with zeroes at the end.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Descriptor {
    flags: U32,
    exponent: U16,
    size: U16,
    offset: U32,
    bucket_size: U32,
}

/// Where the statistics contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseStatsError {
    /// The file ends inside of something.
    #[error("{what} at byte {offset} is beyond the end of {len} bytes")]
    Short {
        /// What was looked for.
        what: &'static str,
        /// Where.
        offset: usize,
        /// How long the file is.
        len: usize,
    },
    /// A name is not text.
    #[error("the name of statistic {index} is not text")]
    Name {
        /// Which one.
        index: u32,
    },
    /// No kernel has so many.
    #[error("statistics of more than {MAX_FILE} bytes")]
    Large,
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The kernel's name for it.
    pub name: String,
    /// Its value; for a histogram the sum of the buckets.
    pub value: u64,
}

/// All counters of a machine or of a vCPU at one moment, in the kernel's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats(Vec<Stat>);

impl Stats {
    /// The counter of this name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|stat| stat.name == name).map(|stat| stat.value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Stat> {
        self.0.iter()
    }

    /// Understands the bytes of a statistics file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseStatsError> {
        let mut stats = Vec::new();
        for (name, at, kind) in Self::places(bytes)? {
            let values = slice(bytes, "a value", at.start, at.len())?;
            let mut values = values.chunks_exact(8).map(|value| u64::read_from_bytes(value).unwrap_or_default());
            let value = match kind {
                KVM_STATS_TYPE_LINEAR_HIST | KVM_STATS_TYPE_LOG_HIST => values.fold(0, u64::wrapping_add),
                _ => values.next().unwrap_or_default(),
            };
            stats.push(Stat { name: name.to_owned(), value });
        }
        Ok(Self(stats))
    }

    /// Where each counter is.
    fn places(bytes: &[u8]) -> Result<Vec<Place<'_>>, ParseStatsError> {
        let header: Header = part(bytes, "the header", 0)?;
        let name_size = header.name_size.get() as usize;
        let step = size_of::<Descriptor>().saturating_add(name_size);
        let mut places = Vec::new();
        for index in 0..header.num_desc.get() {
            let at = (index as usize).saturating_mul(step).saturating_add(header.desc_offset.get() as usize);
            let descriptor: Descriptor = part(bytes, "a descriptor", at)?;
            let name = slice(bytes, "a name", at.saturating_add(size_of::<Descriptor>()), name_size)?;
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            let name = std::str::from_utf8(name).map_err(|_| ParseStatsError::Name { index })?;
            let data = (header.data_offset.get() as usize).saturating_add(descriptor.offset.get() as usize);
            let end = data.saturating_add(usize::from(descriptor.size.get()).saturating_mul(8));
            places.push((name, data..end, descriptor.flags.get() & KVM_STATS_TYPE_MASK));
        }
        Ok(places)
    }
}

fn slice<'a>(bytes: &'a [u8], what: &'static str, offset: usize, len: usize) -> Result<&'a [u8], ParseStatsError> {
    let short = ParseStatsError::Short { what, offset, len: bytes.len() };
    bytes.get(offset..offset.saturating_add(len)).ok_or(short)
}

fn part<T: FromBytes>(bytes: &[u8], what: &'static str, offset: usize) -> Result<T, ParseStatsError> {
    let short = ParseStatsError::Short { what, offset, len: bytes.len() };
    let part = slice(bytes, what, offset, size_of::<T>())?;
    T::read_from_bytes(part).map_err(|_| short)
}

/// Name, values and type of a counter.
type Place<'a> = (&'a str, Range<usize>, u32);

/// Some counters of a vCPU, for reading again and again, also while it runs.
#[derive(Debug)]
pub struct StatsReader {
    file: File,
    /// Where each value is.
    offsets: Vec<Option<usize>>,
    len: usize,
}

impl StatsReader {
    /// Finds the counters of these names.
    pub(super) fn of(fd: &impl AsRawFd, names: &[&str]) -> Result<Option<Self>, KvmError> {
        let Some(file) = open(fd)? else { return Ok(None) };
        let bytes = read_all(&file)?;
        let places = Stats::places(&bytes)?;
        let offset = |name: &&str| places.iter().find(|(known, ..)| known == name).map(|(_, at, _)| at.start);
        Ok(Some(Self { file, offsets: names.iter().map(offset).collect(), len: bytes.len() }))
    }

    /// Which of them this kernel has.
    pub fn known(&self) -> impl Iterator<Item = bool> {
        self.offsets.iter().map(Option::is_some)
    }

    /// Their values now, in the order of the names; 0 for one that this kernel does not have.
    pub fn read(&self) -> Option<Vec<u64>> {
        let first = self.offsets.iter().flatten().min()?;
        let mut bytes = vec![0; self.len.checked_sub(*first)?];
        let got = self.file.read_at(&mut bytes, *first as u64).ok()?;
        let value = |offset: &Option<usize>| {
            let at = offset.as_ref()?.checked_sub(*first)?;
            u64::read_from_bytes(bytes.get(..got)?.get(at..at.checked_add(8)?)?).ok()
        };
        Some(self.offsets.iter().map(|offset| value(offset).unwrap_or(0)).collect())
    }
}

/// Reads the counters of a machine or a vCPU.
pub(super) fn of(fd: &impl AsRawFd) -> Result<Option<Stats>, KvmError> {
    let Some(file) = open(fd)? else { return Ok(None) };
    Ok(Some(Stats::parse(&read_all(&file)?)?))
}

fn open(fd: &impl AsRawFd) -> Result<Option<File>, KvmError> {
    // SAFETY: an ioctl without an argument on a descriptor of ours.
    let file = unsafe { libc::ioctl(fd.as_raw_fd(), KVM_GET_STATS_FD, 0) };
    if file < 0 {
        let source = io::Error::last_os_error();
        // KVMs without KVM_CAP_BINARY_STATS_FD (before 5.14) do not know the call.
        return match source.raw_os_error() {
            Some(libc::ENOTTY | libc::EINVAL) => Ok(None),
            _ => Err(KvmError::Refused { attempt: ATTEMPT.into(), source }),
        };
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(Some(unsafe { File::from_raw_fd(file) }))
}

fn read_all(file: &File) -> Result<Vec<u8>, KvmError> {
    let mut bytes = vec![0; 16 << 10];
    let mut len = 0;
    loop {
        let rest = bytes.get_mut(len..).unwrap_or_default();
        let got = file.read_at(rest, len as u64);
        let got = got.map_err(|source| KvmError::Refused { attempt: ATTEMPT.into(), source })?;
        if got == 0 {
            break;
        }
        len = len.saturating_add(got);
        if len == bytes.len() {
            if len >= MAX_FILE {
                return Err(ParseStatsError::Large.into());
            }
            bytes.resize(len.saturating_mul(2), 0);
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "stats_test.rs"]
mod tests;
