//! A virtqueue in memory that the input writes, and descriptors that are nearly right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use illico_memory::{GuestAddress, Layout, Pages, Ram, Window};
use illico_virtio::interrupt::Interrupt;
use illico_virtio::queue::{Queue, QueueSetup, Wiring};
use illico_virtio::spec::feature::{EVENT_IDX, INDIRECT_DESC};
use vmm_sys_util::eventfd::EventFd;

/// Bytes of RAM.
pub const LOW: u64 = 0x1_0000;
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x2000;
const USED: u64 = 0x3000;
/// Where indirect tables and buffers mostly are.
pub const LISTS: u64 = 0x4000;

/// A descriptor whose fields are mostly of some use.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct Descriptor {
    place: Place,
    len: Len,
    flags: Flags,
    next: u8,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Place {
    Buffer(u16),
    List(u8),
    /// Before the end of RAM.
    End(u8),
    Anywhere(u64),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Len {
    Bytes(u8),
    Entries(u8),
    Any(u32),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Flags {
    Usual(u8),
    Any(u16),
}

impl Descriptor {
    /// As it lies in memory.
    pub fn bytes(self, entries: u16) -> [u8; 16] {
        let address = match self.place {
            Place::Buffer(at) => u64::from(at),
            Place::List(n) => LISTS + 16 * u64::from(n),
            Place::End(n) => LOW - u64::from(n),
            Place::Anywhere(at) => at,
        };
        let len = match self.len {
            Len::Bytes(n) => n.into(),
            Len::Entries(n) => 16 * u32::from(n),
            Len::Any(n) => n,
        };
        let flags = match self.flags {
            Flags::Usual(flags) => u16::from(flags & 7),
            Flags::Any(flags) => flags,
        };
        // One in sixteen is outside of the table.
        let next = if self.next < 240 { u16::from(self.next) % entries } else { u16::from(self.next) * 257 };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        bytes[12..14].copy_from_slice(&flags.to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        bytes
    }
}

/// The memory of a driver, and the queue of a device over it.
pub struct Bench {
    pub ram: Ram,
    pub memory: Window,
    pub size: u16,
    pub event_idx: bool,
    pub indirect: bool,
    interrupts: Arc<AtomicU64>,
}

impl Bench {
    /// Rings of zeroes, and everything after them a pattern that tells addresses apart.
    pub fn new(ram: &Ram, log_size: u8, features: u8) -> Self {
        let memory = ram.window(GuestAddress(0), LOW).unwrap();
        memory.fill(0, LISTS as usize, 0);
        static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (LISTS..LOW).map(|at| (at ^ at >> 8) as u8).collect());
        memory.copy_from(LISTS as usize, &PATTERN);
        Self {
            ram: ram.clone(),
            memory,
            size: 1 << (log_size % 6),
            event_idx: features & 1 != 0,
            indirect: features & 2 != 0,
            interrupts: Arc::default(),
        }
    }

    pub fn ram() -> Ram {
        Ram::new(&Layout::flat(LOW), Pages::Small).unwrap()
    }

    pub fn queue(&self) -> Queue {
        let count = Arc::clone(&self.interrupts);
        let interrupt = Interrupt::from_fn(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let features = if self.event_idx { EVENT_IDX } else { 0 } | if self.indirect { INDIRECT_DESC } else { 0 };
        let setup = QueueSetup {
            max_size: self.size,
            size: self.size,
            ready: true,
            table: GuestAddress(TABLE),
            available: GuestAddress(AVAILABLE),
            used: GuestAddress(USED),
        };
        let kick = Arc::new(EventFd::new(0).unwrap());
        setup.build(&self.ram, features, Wiring { interrupt, kick, counters: Arc::default() }).unwrap()
    }

    pub fn take_interrupts(&self) -> u64 {
        self.interrupts.swap(0, Ordering::Relaxed)
    }

    pub fn bytes<const N: usize>(&self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.memory.copy_to(at as usize, &mut bytes);
        bytes
    }

    pub fn u16(&self, at: u64) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    pub fn set_u16(&self, at: u64, value: u16) {
        self.memory.copy_from(at as usize, &value.to_le_bytes());
    }

    pub fn descriptor_at(&self, index: u16) -> u64 {
        TABLE + 16 * u64::from(index)
    }

    pub fn available_index(&self) -> u16 {
        self.u16(AVAILABLE + 2)
    }

    pub fn no_interrupt(&self) -> bool {
        self.u16(AVAILABLE) & 1 != 0
    }

    pub fn set_available_flags(&self, flags: u16) {
        self.set_u16(AVAILABLE, flags);
    }

    pub fn used_event_at(&self) -> u64 {
        AVAILABLE + 4 + 2 * u64::from(self.size)
    }

    pub fn available_event_at(&self) -> u64 {
        USED + 4 + 8 * u64::from(self.size)
    }

    pub fn available_entry_at(&self, index: u16) -> u64 {
        AVAILABLE + 4 + 2 * u64::from(index % self.size)
    }

    pub fn used_index(&self) -> u16 {
        self.u16(USED + 2)
    }

    pub fn used_entry(&self, index: u16) -> (u32, u32) {
        let bytes: [u8; 8] = self.bytes(USED + 4 + 8 * u64::from(index % self.size));
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        (word(0), word(4))
    }

    pub fn no_notify(&self) -> bool {
        self.u16(USED) & 1 != 0
    }

    pub fn publish(&self, index: u16) {
        self.set_u16(AVAILABLE + 2, index);
    }

    pub fn offer(&self, head: u16) {
        let index = self.available_index();
        self.set_u16(self.available_entry_at(index), head);
        self.publish(index.wrapping_add(1));
    }
}
