//! A split ring of our own (VirtIO 1.3, 2.7), beside that of `virtio-drivers`: it counts kicks, honours EVENT_IDX to
//! the letter, and lets every field be written as an attack needs it. One chain is at most a table long.

use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};

use crate::dma::Pages;
use crate::region::Region;
use crate::registers::{Addresses, Doorbell, Registers};

pub(crate) const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;
pub(crate) const INDIRECT: u16 = 4;

pub(crate) const F_INDIRECT_DESC: u64 = 1 << 28;
pub(crate) const F_EVENT_IDX: u64 = 1 << 29;
pub(crate) const F_VERSION_1: u64 = 1 << 32;

const DESCRIPTOR: usize = 16;
const NO_INTERRUPT: u16 = 1;
const NO_NOTIFY: u16 = 1;

/// One descriptor, as it stands in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor {
    pub(crate) address: u64,
    pub(crate) length: u32,
    pub(crate) flags: u16,
    pub(crate) next: u16,
}

/// A piece of a chain: what the device reads, or what it writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    Read(u64, u32),
    Write(u64, u32),
}

/// What a used element says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) head: u32,
    pub(crate) written: u32,
}

#[derive(Debug)]
pub(crate) struct Ring {
    size: u16,
    event_idx: bool,
    memory: Pages,
    free: Vec<u16>,
    /// Descriptors that follow a head, to be freed with it.
    chains: Vec<u16>,
    available: u16,
    used: u16,
    kicked: u16,
    doorbell: Doorbell,
    pub(crate) kicks: u64,
}

impl Ring {
    /// Sets `queue` up with at most `size` entries; the device is between `begin` and `go`.
    pub(crate) fn set_up(registers: &Registers, queue: u16, size: u16, features: u64) -> Option<Self> {
        let most = registers.queue_max(queue);
        let size = if most == 0 { return None } else { size.min(most as u16) };
        let memory = Pages::new(Self::bytes(size))?;
        let mut ring = Self {
            size,
            event_idx: features & F_EVENT_IDX != 0,
            memory,
            free: (0..size).rev().collect(),
            chains: alloc::vec![0; usize::from(size)],
            available: 0,
            used: 0,
            kicked: 0,
            doorbell: registers.doorbell(queue),
            kicks: 0,
        };
        ring.want_interrupt(false);
        registers.set_queue(queue, size, ring.addresses());
        registers.queue_enabled(queue).then_some(ring)
    }

    fn bytes(size: u16) -> usize {
        // Descriptors, then available (a page is more than its alignment wants), then used.
        Self::used_offset(size) + 8 * usize::from(size) + 6
    }

    fn available_offset(size: u16) -> usize {
        DESCRIPTOR * usize::from(size)
    }

    fn used_offset(size: u16) -> usize {
        (Self::available_offset(size) + 2 * usize::from(size) + 6).next_multiple_of(4)
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let start = self.memory.address();
        Addresses {
            descriptors: start,
            driver: start + Self::available_offset(self.size) as u64,
            device: start + Self::used_offset(self.size) as u64,
        }
    }

    fn available_ring(&self) -> Region {
        self.memory.region().at(Self::available_offset(self.size))
    }

    fn used_ring(&self) -> Region {
        self.memory.region().at(Self::used_offset(self.size))
    }

    pub(crate) fn size(&self) -> u16 {
        self.size
    }

    /// Writes entry `index` of the table, whatever it says.
    pub(crate) fn write_descriptor(&self, index: u16, descriptor: Descriptor) {
        write_descriptor(self.memory.region(), index, descriptor);
    }

    /// Puts `head` into the next slot of the available ring and raises its index by `steps`.
    pub(crate) fn publish(&mut self, head: u16, steps: u16) {
        let available = self.available_ring();
        available.write(4 + 2 * usize::from(self.available % self.size), head);
        self.available = self.available.wrapping_add(steps);
        fence(Ordering::Release);
        available.write(2, self.available);
    }

    /// Adds a chain; `None` if there are not enough descriptors.
    pub(crate) fn add(&mut self, pieces: &[Piece]) -> Option<u16> {
        if pieces.is_empty() || pieces.len() > self.free.len() {
            return None;
        }
        let mut following = 0;
        let mut head = 0;
        for (index, piece) in pieces.iter().enumerate().rev() {
            head = self.free.pop()?;
            let last = index + 1 == pieces.len();
            let link = if last { 0 } else { NEXT };
            let (address, length, direction) = match *piece {
                Piece::Read(address, length) => (address, length, 0),
                Piece::Write(address, length) => (address, length, WRITE),
            };
            self.write_descriptor(head, Descriptor { address, length, flags: link | direction, next: following });
            if let Some(chain) = self.chains.get_mut(usize::from(head)) {
                *chain = if last { head } else { following };
            }
            following = head;
        }
        self.publish(head, 1);
        Some(head)
    }

    /// Kicks if the device wants to know (2.7.7.2 and 2.7.10).
    pub(crate) fn kick_if_wanted(&mut self) {
        fence(Ordering::SeqCst);
        let wanted = if self.event_idx {
            let event: u16 = self.used_ring().read(4 + 8 * usize::from(self.size));
            self.available.wrapping_sub(event).wrapping_sub(1) < self.available.wrapping_sub(self.kicked)
        } else {
            self.used_ring().read::<u16>(0) & NO_NOTIFY == 0
        };
        self.kicked = self.available;
        if wanted {
            self.kick();
        }
    }

    pub(crate) fn kick(&mut self) {
        self.kicks += 1;
        self.doorbell.kick();
    }

    /// How far the device has come.
    pub(crate) fn used_index(&self) -> u16 {
        self.used_ring().read(2)
    }

    /// Asks for an interrupt with the next used chain, or for none. True if there is a used chain already, so that
    /// waiting would be for ever.
    pub(crate) fn want_interrupt(&mut self, wanted: bool) -> bool {
        let available = self.available_ring();
        if self.event_idx {
            // An event half the range away is far from everything that can be in flight.
            let event = if wanted { self.used } else { self.used.wrapping_add(0x8000) };
            available.write(4 + 2 * usize::from(self.size), event);
        } else {
            available.write(0, if wanted { 0 } else { NO_INTERRUPT });
        }
        fence(Ordering::SeqCst);
        self.used_index() != self.used
    }

    /// Takes the next used chain and frees its descriptors.
    pub(crate) fn take(&mut self) -> Option<Used> {
        if self.used_index() == self.used {
            return None;
        }
        fence(Ordering::Acquire);
        let slot = 4 + 8 * usize::from(self.used % self.size);
        let used = Used { head: self.used_ring().read(slot), written: self.used_ring().read(slot + 4) };
        self.used = self.used.wrapping_add(1);
        let mut index = used.head as u16;
        while let Some(next) = self.chains.get(usize::from(index)).copied() {
            self.free.push(index);
            if next == index {
                break;
            }
            index = next;
        }
        Some(used)
    }
}

/// Writes entry `index` of a table anywhere.
pub(crate) fn write_descriptor(table: Region, index: u16, descriptor: Descriptor) {
    let entry = table.at(DESCRIPTOR * usize::from(index));
    entry.write(0, descriptor.address);
    entry.write(8, descriptor.length);
    entry.write(12, descriptor.flags);
    entry.write(14, descriptor.next);
}
