//! A descriptor chain: one request of the driver, walked once and checked while it is walked.
//!
//! The walk follows VirtIO 1.3 § 2.7.4 and § 2.7.5: readable buffers before writable ones, at most as
//! many descriptors as the queue has entries, an indirect table not inside another one.

#![deny(clippy::indexing_slicing)]

use illico_memory::{Access, Buffers, GuestAddress, OutOfRam, Ram, Window};

use crate::ring::split::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, Descriptor, SplitRing};

/// What a driver did that a ring does not allow. The queue is failed from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// More chains made available, and not handed back yet, than the ring has entries.
    #[error("available index {available} is more than {size} beyond {completed}, the chains handed back")]
    IndexJump {
        /// The driver's index.
        available: u16,
        /// How many chains were handed back, modulo 2^16.
        completed: u16,
        /// Entries of the ring.
        size: u16,
    },
    /// A head or a `next` outside of its table.
    #[error("descriptor {index} is outside of a table of {entries}")]
    NoSuchDescriptor {
        /// The index that was named.
        index: u16,
        /// Entries of the table.
        entries: u16,
    },
    /// A chain longer than the queue, or one that runs in a circle.
    #[error("chain of more than {size} descriptors")]
    TooLong {
        /// Entries of the ring.
        size: u16,
    },
    /// A buffer, or an indirect table, that is not in RAM.
    #[error(transparent)]
    OutOfRam(#[from] OutOfRam),
    /// A buffer to be read after one to be written.
    #[error("readable descriptor {index} after a writable one")]
    ReadableAfterWritable {
        /// The index of the readable one.
        index: u16,
    },
    /// An indirect descriptor that is not allowed as it stands.
    #[error("indirect descriptor {index}: {why}")]
    Indirect {
        /// Its index.
        index: u16,
        /// What is wrong.
        why: &'static str,
    },
}

/// A request of the driver. It is handed back with `Queue::complete`, which takes it by value: it can
/// be neither lost without a warning nor completed twice.
#[derive(Debug)]
#[must_use = "a chain that is not completed is lost to the driver"]
pub struct Chain {
    pub(crate) head: u16,
    /// What the device reads.
    pub readable: Buffers,
    /// What the device writes.
    pub writable: Buffers,
}

impl Chain {
    /// The descriptor it begins with: its name in the ring.
    pub fn head(&self) -> u16 {
        self.head
    }
}

/// A table of descriptors: the ring's own, or an indirect one somewhere in RAM.
enum Table<'a> {
    Ring(&'a SplitRing),
    Indirect { table: Window, entries: u16 },
}

impl Table<'_> {
    fn entry(&self, index: u16) -> Result<Descriptor, RingError> {
        match self {
            Self::Ring(ring) => {
                ring.descriptor(index).ok_or(RingError::NoSuchDescriptor { index, entries: ring.size() })
            }
            Self::Indirect { entries, .. } if index >= *entries => {
                Err(RingError::NoSuchDescriptor { index, entries: *entries })
            }
            Self::Indirect { table, .. } => Ok(table.read(Descriptor::SIZE * usize::from(index))),
        }
    }
}

/// Follows the chain that begins at `head` and collects its ranges.
pub(crate) fn walk(
    ring: &SplitRing,
    ram: &Ram,
    indirect_allowed: bool,
    head: u16,
    readable: &mut Buffers,
    writable: &mut Buffers,
) -> Result<(), RingError> {
    let size = ring.size();
    let mut table = Table::Ring(ring);
    let mut index = head;
    for _ in 0..size {
        let mut descriptor = table.entry(index)?;
        if descriptor.flags & DESC_F_INDIRECT != 0 {
            let pointer = index;
            let wrong = |why| RingError::Indirect { index: pointer, why };
            if !indirect_allowed {
                return Err(wrong("INDIRECT_DESC was not negotiated"));
            }
            if matches!(table, Table::Indirect { .. }) {
                return Err(wrong("inside an indirect table"));
            }
            if descriptor.flags & DESC_F_NEXT != 0 {
                return Err(wrong("with NEXT"));
            }
            if descriptor.len == 0 || descriptor.len % 16 != 0 {
                return Err(wrong("length is not a multiple of 16"));
            }
            let entries = u16::try_from(descriptor.len / 16).map_err(|_| wrong("table is too long"))?;
            let start = GuestAddress(descriptor.address);
            table = Table::Indirect { table: ram.window(start, descriptor.len.into())?, entries };
            index = 0;
            descriptor = table.entry(index)?;
            if descriptor.flags & DESC_F_INDIRECT != 0 {
                return Err(wrong("inside an indirect table"));
            }
        }
        let address = GuestAddress(descriptor.address);
        if descriptor.flags & DESC_F_WRITE != 0 {
            writable.push(address, descriptor.len, Access::ReadWrite)?;
        } else if writable.is_empty() {
            readable.push(address, descriptor.len, Access::ReadOnly)?;
        } else {
            return Err(RingError::ReadableAfterWritable { index });
        }
        if descriptor.flags & DESC_F_NEXT == 0 {
            return Ok(());
        }
        index = descriptor.next;
    }
    Err(RingError::TooLong { size })
}
