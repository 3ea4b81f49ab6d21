//! The split virtqueue as it lies in memory (VirtIO 1.3 § 2.7): where each field is and which fence
//! goes with it. What to do with the fields is decided in `queue`.
//!
//! ```text
//! descriptor table  size x { addr u64, len u32, flags u16, next u16 }             written by the driver
//! available ring    { flags u16, idx u16, ring u16 x size, used_event u16 }       written by the driver
//! used ring         { flags u16, idx u16, { id u32, len u32 } x size, avail_event u16 }  written by us
//! ```

use std::sync::atomic::{Ordering, fence};

use illico_memory::{GuestAddress, OutOfRam, Ram, Window};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The chain goes on at `next`, § 2.7.5.
pub const DESC_F_NEXT: u16 = 1;
/// The device writes this buffer; without it, it reads.
pub const DESC_F_WRITE: u16 = 2;
/// The buffer is a table of descriptors, § 2.7.5.3.
pub const DESC_F_INDIRECT: u16 = 4;
/// In the available ring's flags: no interrupt wanted, § 2.7.7.
pub const AVAIL_F_NO_INTERRUPT: u16 = 1;
/// In the used ring's flags: no kick wanted, § 2.7.10.
pub const USED_F_NO_NOTIFY: u16 = 1;

const FLAGS: usize = 0;
const INDEX: usize = 2;
const ENTRIES: usize = 4;

/// One entry of a descriptor table, § 2.7.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Descriptor {
    /// Guest physical address of the buffer.
    pub address: u64,
    /// Its length in bytes.
    pub len: u32,
    /// `DESC_F_*`.
    pub flags: u16,
    /// Index of the next entry, with `DESC_F_NEXT`.
    pub next: u16,
}

impl Descriptor {
    /// Bytes of one entry.
    pub const SIZE: usize = 16;
}

/// The fields of both rings, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Flags of the available ring.
    pub available_flags: u16,
    /// `idx` of the available ring.
    pub available_index: u16,
    /// `used_event`
    pub used_event: u16,
    /// Flags of the used ring.
    pub used_flags: u16,
    /// `idx` of the used ring.
    pub used_index: u16,
    /// `avail_event`
    pub available_event: u16,
}

/// The three parts of a split virtqueue.
#[derive(Debug)]
pub struct SplitRing {
    size: u16,
    table: Window,
    available: Window,
    used: Window,
}

impl SplitRing {
    /// Finds the three parts in RAM. `size` is a power of two and the addresses are aligned (checked
    /// by `QueueSetup`).
    pub fn new(
        ram: &Ram,
        size: u16,
        table: GuestAddress,
        available: GuestAddress,
        used: GuestAddress,
    ) -> Result<Self, OutOfRam> {
        let entries = u64::from(size);
        Ok(Self {
            size,
            table: ram.window(table, 16 * entries)?,
            available: ram.window(available, 6 + 2 * entries)?,
            used: ram.window(used, 6 + 8 * entries)?,
        })
    }

    /// Entries of the ring.
    pub fn size(&self) -> u16 {
        self.size
    }

    fn slot(&self, index: u16) -> usize {
        usize::from(index & (self.size - 1))
    }

    /// The driver's index: how many chains it has made available, modulo 2^16.
    #[inline]
    pub fn available_index(&self) -> u16 {
        // Acquire: the ring entries and descriptors behind the index must not be read before it.
        self.available.load_u16(INDEX, Ordering::Acquire)
    }

    /// The head of the chain that was made available as number `index`.
    #[inline]
    pub fn available_head(&self, index: u16) -> u16 {
        self.available.load_u16(ENTRIES + 2 * self.slot(index), Ordering::Relaxed)
    }

    /// The entry of the descriptor table at `index`, or `None` past its end.
    #[inline]
    pub fn descriptor(&self, index: u16) -> Option<Descriptor> {
        (index < self.size).then(|| self.table.read(Descriptor::SIZE * usize::from(index)))
    }

    /// Fills the used entry of number `index`, which the driver does not look at before it is published.
    #[inline]
    pub fn fill_used(&self, index: u16, head: u16, written: u32) {
        let at = ENTRIES + 8 * self.slot(index);
        self.used.store_u32(at, head.into(), Ordering::Relaxed);
        self.used.store_u32(at + 4, written, Ordering::Relaxed);
    }

    /// Says that all entries before number `index` are filled.
    #[inline]
    pub fn publish_used(&self, index: u16) {
        // Release: a driver that sees the index sees the entries and the data written before it.
        self.used.store_u16(INDEX, index, Ordering::Release);
    }

    /// The used index at which the driver wants an interrupt (EVENT_IDX).
    #[inline]
    pub fn used_event(&self) -> u16 {
        self.available.load_u16(ENTRIES + 2 * usize::from(self.size), Ordering::Relaxed)
    }

    /// Whether the driver wants no interrupts at all (without EVENT_IDX).
    #[inline]
    pub fn no_interrupt(&self) -> bool {
        self.available.load_u16(FLAGS, Ordering::Relaxed) & AVAIL_F_NO_INTERRUPT != 0
    }

    /// Says at which available index the next kick is wanted (EVENT_IDX).
    #[inline]
    pub fn set_available_event(&self, index: u16) {
        self.used.store_u16(ENTRIES + 8 * usize::from(self.size), index, Ordering::Relaxed);
    }

    /// Says whether kicks are wanted at all (without EVENT_IDX).
    #[inline]
    pub fn set_no_notify(&self, no_notify: bool) {
        self.used.store_u16(FLAGS, if no_notify { USED_F_NO_NOTIFY } else { 0 }, Ordering::Relaxed);
    }

    /// Where in a ring entry number `index` is.
    pub fn place(&self, index: u16) -> usize {
        self.slot(index)
    }

    /// All fields but the entries, as they are now.
    pub fn fields(&self) -> Fields {
        let load = |window: &Window, at| window.load_u16(at, Ordering::Relaxed);
        Fields {
            available_flags: load(&self.available, FLAGS),
            available_index: load(&self.available, INDEX),
            used_event: self.used_event(),
            used_flags: load(&self.used, FLAGS),
            used_index: load(&self.used, INDEX),
            available_event: load(&self.used, ENTRIES + 8 * usize::from(self.size)),
        }
    }

    /// Orders a store to one ring before a load from the other.
    ///
    /// Both sides store to their own ring and then look at the other's: without a full fence between
    /// the two, each could miss what the other has just stored, and the queue would sleep for ever.
    #[inline]
    pub fn store_then_load_fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// Whether moving an index from `old` to `new` passes `event` (§ 2.7.7.2, § 2.7.10.1), modulo 2^16.
#[inline]
pub fn passes(event: u16, new: u16, old: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}
