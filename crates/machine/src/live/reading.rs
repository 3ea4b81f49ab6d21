//! Reads a page of counters that another process writes: a copy of its bytes, checked, since none of them is trusted.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::layout as at;
use crate::report::{DeviceReport, KERNEL, KernelTotals, PollReport, QueueReport, Report, VcpuFigures};

/// No machine has a larger page: 64 vCPUs and the devices of a full bus are 300 KiB.
pub const MAX_BYTES: usize = 4 << 20;

/// Why bytes are not such a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// It begins with something else, or is not complete yet.
    #[error("it does not begin as a page of counters does")]
    Magic,
    /// Another illico wrote it.
    #[error("it has version {0}, and this illico reads version {VERSION}", VERSION = at::VERSION)]
    Version(u32),
    /// Something is not inside of it.
    #[error("{what} at byte {offset} is beyond the end of {len} bytes")]
    Short {
        /// What was looked for.
        what: &'static str,
        /// Where.
        offset: usize,
        /// How long it is.
        len: usize,
    },
    /// A queue whose device does not exist.
    #[error("a queue belongs to party {0}, which is no device")]
    Party(u32),
    /// A refresh was writing.
    #[error("it is being refreshed")]
    Busy,
}

/// All counters of a machine at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The process that writes it.
    pub pid: u32,
    /// When KVM's totals, kicks and polling were copied, in milliseconds since 1970; 0 if never.
    pub refreshed_ms: u64,
    /// Parts that answer exits, then the devices.
    parties: Vec<String>,
    vcpus: Vec<VcpuFigures>,
    devices: Vec<DeviceReport>,
}

impl Reading {
    /// Understands a copy of the page.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadingError> {
        if bytes.get(..at::MAGIC.len()) != Some(&at::MAGIC[..]) {
            return Err(ReadingError::Magic);
        }
        let page = Bytes(bytes);
        let header = |offset| page.u32("the header", offset);
        let version = header(at::AT_VERSION)?;
        if version != at::VERSION {
            return Err(ReadingError::Version(version));
        }
        let length = header(at::AT_LENGTH)? as usize;
        if bytes.len() < length {
            return Err(ReadingError::Short { what: "the end", offset: length, len: bytes.len() });
        }
        if page.u64("the header", at::AT_SEQUENCE)? & 1 != 0 {
            return Err(ReadingError::Busy);
        }
        // Each block that is looked for is inside of the bytes, and takes some of them: that bounds all counts.
        let place = |first, index: u32, size: usize| {
            let first = header(first)? as usize;
            Ok::<_, ReadingError>(first.saturating_add((index as usize).saturating_mul(size)))
        };
        let mut parties = Vec::new();
        let mut devices: Vec<DeviceReport> = Vec::new();
        let mut fixed = 0_usize;
        for index in 0..header(at::AT_PARTIES)? {
            let at = place(at::AT_FIRST_PARTY, index, at::PARTY)?;
            let name = page.text("a name", at, at::PARTY_KIND)?;
            let kind_at = at.saturating_add(at::PARTY_KIND);
            let kind = page.text("a kind", kind_at, at::PARTY.saturating_sub(at::PARTY_KIND))?;
            parties.push(name.clone());
            if kind.is_empty() {
                fixed = parties.len();
                devices.clear();
            } else {
                devices.push(DeviceReport { name, kind: kind.into(), queues: Vec::new() });
            }
        }
        let least = at::VCPU_TABLE.saturating_add(parties.len().saturating_mul(at::ROW));
        let vcpu_size = (header(at::AT_VCPU_SIZE)? as usize).max(least);
        let kernel = header(at::AT_KERNEL)? as usize;
        let mut vcpus = Vec::new();
        for index in 0..header(at::AT_VCPUS)? {
            vcpus.push(page.vcpu(place(at::AT_FIRST_VCPU, index, vcpu_size)?, parties.len(), kernel)?);
        }
        let queue_size = (header(at::AT_QUEUE_SIZE)? as usize).max(at::QUEUE);
        for index in 0..header(at::AT_QUEUES)? {
            let at = place(at::AT_FIRST_QUEUE, index, queue_size)?;
            let party = page.u32("a queue", at)?;
            let device = (party as usize).checked_sub(fixed).and_then(|device| devices.get_mut(device));
            device.ok_or(ReadingError::Party(party))?.queues.push(page.queue(at)?);
        }
        let refreshed_ms = page.u64("the header", at::AT_REFRESHED)?;
        Ok(Self { pid: header(at::AT_PID)?, refreshed_ms, parties, vcpus, devices })
    }

    /// The same as a report.
    pub fn report(self) -> Report {
        Report::new(&self.parties, &self.vcpus, self.devices)
    }
}

/// Numbers and names in the page.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(self, what: &'static str, offset: usize) -> Result<[u8; N], ReadingError> {
        let short = ReadingError::Short { what, offset, len: self.0.len() };
        let bytes = self.0.get(offset..offset.saturating_add(N)).ok_or(short)?;
        bytes.try_into().map_err(|_| short)
    }

    fn u32(self, what: &'static str, offset: usize) -> Result<u32, ReadingError> {
        self.array(what, offset).map(u32::from_le_bytes)
    }

    fn u64(self, what: &'static str, offset: usize) -> Result<u64, ReadingError> {
        self.array(what, offset).map(u64::from_le_bytes)
    }

    /// Number `index` from `offset` on.
    fn nth(self, what: &'static str, offset: usize, index: usize) -> Result<u64, ReadingError> {
        self.u64(what, offset.saturating_add(index.saturating_mul(8)))
    }

    /// Printable ASCII up to the first zero: it is going to be shown on a terminal.
    fn text(self, what: &'static str, offset: usize, room: usize) -> Result<String, ReadingError> {
        let short = ReadingError::Short { what, offset, len: self.0.len() };
        let bytes = self.0.get(offset..offset.saturating_add(room)).ok_or(short)?;
        let text = bytes.iter().take_while(|&&byte| byte != 0);
        Ok(text.map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' }).collect())
    }

    fn vcpu(self, offset: usize, parties: usize, kernel: usize) -> Result<VcpuFigures, ReadingError> {
        let what = "a vCPU";
        let number = |field: usize| self.u64(what, offset.saturating_add(field));
        let mut table = Vec::new();
        for party in 0..parties {
            let row = offset.saturating_add(at::VCPU_TABLE).saturating_add(party.saturating_mul(at::ROW));
            let mut counts = [0; 4];
            for (index, count) in counts.iter_mut().enumerate() {
                *count = self.nth(what, row, index)?;
            }
            table.push(counts);
        }
        let totals = offset.saturating_add(kernel);
        let known = self.u64(what, totals)?;
        let mut kernel = KernelTotals::default();
        for (index, total) in kernel.0.iter_mut().enumerate().take(KERNEL.len()) {
            if known.checked_shr(index as u32).unwrap_or(0) & 1 != 0 {
                *total = Some(self.nth(what, totals, index.saturating_add(1))?);
            }
        }
        Ok(VcpuFigures {
            index: self.u32(what, offset)?.try_into().unwrap_or(u8::MAX),
            table,
            eoi: number(at::VCPU_EOI)?,
            interrupted: number(at::VCPU_SIGNAL)?,
            kernel,
        })
    }

    fn queue(self, offset: usize) -> Result<QueueReport, ReadingError> {
        let what = "a queue";
        let counted = |index| self.nth(what, offset.saturating_add(at::QUEUE_COUNTERS), index);
        let refreshed = |index| self.nth(what, offset.saturating_add(at::QUEUE_REFRESHED), index);
        let polled = self.u64(what, offset.saturating_add(at::QUEUE_POLLED))? != 0;
        let polling = PollReport { found: refreshed(1)?, empty: refreshed(2)?, nanoseconds: refreshed(3)? };
        Ok(QueueReport {
            queue: self.u32(what, offset.saturating_add(at::QUEUE_NUMBER))? as usize,
            kicks: refreshed(0)?,
            interrupts: counted(0)?,
            suppressed: counted(1)?,
            requests: counted(2)?,
            bytes_from_guest: counted(3)?,
            bytes_to_guest: counted(4)?,
            polling: polled.then_some(polling),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "reading_test.rs"]
mod tests;
