//! A virtqueue on the device's side (VirtIO 1.3 § 2.6, § 2.7): taking chains, handing them back, and
//! saying when a kick or an interrupt is worth its exit.
//!
//! [`QueueSetup`] is what the driver may still write; [`Queue`] is what runs, and has no setters.

use std::sync::Arc;

use illico_memory::{Buffers, GuestAddress, OutOfRam, Ram};
use serde::{Deserialize, Serialize};
use vmm_sys_util::eventfd::EventFd;

use crate::chain::{Chain, RingError, walk};
use crate::counters::QueueCounters;
use crate::interrupt::Interrupt;
use crate::ring::split::{SplitRing, passes};
use crate::spec::feature;
use crate::trace::Tracer;

/// Which half of a 64-bit value a driver writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Bits 0 to 31.
    Low,
    /// Bits 32 to 63.
    High,
}

/// Which address of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The descriptor table.
    Table,
    /// The available ring.
    Available,
    /// The used ring.
    Used,
}

/// The registers of a queue before the device runs, § 4.1.4.3 and § 4.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSetup {
    /// Entries that the device offers, a power of two.
    pub max_size: u16,
    /// Entries that the driver wants.
    pub size: u16,
    /// Whether the driver has enabled the queue.
    pub ready: bool,
    /// The descriptor table.
    pub table: GuestAddress,
    /// The available ring ("driver area").
    pub available: GuestAddress,
    /// The used ring ("device area").
    pub used: GuestAddress,
}

/// A driver enabled a queue that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a power of two, or more than was offered.
    #[error("queue size {size} is not a power of two up to {max_size}")]
    Size {
        /// What the driver wrote.
        size: u16,
        /// What was offered.
        max_size: u16,
    },
    /// A part at an address that § 2.7 does not allow.
    #[error("{part} at {address} is not aligned to {align}")]
    Alignment {
        /// Which part.
        part: &'static str,
        /// Where the driver put it.
        address: GuestAddress,
        /// What it must be a multiple of.
        align: u64,
    },
    /// A part that is not in RAM.
    #[error(transparent)]
    OutOfRam(#[from] OutOfRam),
}

/// What a queue is connected to.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Raised when chains were completed.
    pub interrupt: Interrupt,
    /// Signalled by a kick. It is watched edge-triggered and never read on the data path: its value is
    /// the number of kicks.
    pub kick: Arc<EventFd>,
    /// Counters that outlive a reset.
    pub counters: Arc<QueueCounters>,
}

impl QueueSetup {
    /// Sets half of an address.
    pub fn write_address(&mut self, area: Area, half: Half, value: u32) {
        let address = match area {
            Area::Table => &mut self.table,
            Area::Available => &mut self.available,
            Area::Used => &mut self.used,
        };
        let value = u64::from(value);
        *address = GuestAddress(match half {
            Half::Low => address.0 & !0xffff_ffff | value,
            Half::High => address.0 & 0xffff_ffff | value << 32,
        });
    }

    /// Registers after a reset.
    pub fn new(max_size: u16) -> Self {
        let zero = GuestAddress(0);
        Self { max_size, size: max_size, ready: false, table: zero, available: zero, used: zero }
    }

    /// The running queue, if what the driver wrote holds together.
    pub fn build(&self, ram: &Ram, features: u64, wiring: Wiring) -> Result<Queue, SetupError> {
        let Self { max_size, size, table, available, used, ready: _ } = *self;
        if !size.is_power_of_two() || size > max_size {
            return Err(SetupError::Size { size, max_size });
        }
        let parts = [("descriptor table", table, 16), ("available ring", available, 2), ("used ring", used, 4)];
        for (part, address, align) in parts {
            if !address.is_aligned(align) {
                return Err(SetupError::Alignment { part, address, align });
            }
        }
        Ok(Queue {
            ring: SplitRing::new(ram, size, table, available, used)?,
            ram: ram.clone(),
            event_idx: features & feature::EVENT_IDX != 0,
            indirect: features & feature::INDIRECT_DESC != 0,
            next_available: 0,
            next_used: 0,
            unsignalled: 0,
            failed: None,
            spare: Vec::new(),
            wiring,
            trace: None,
            number: 0,
            done: 0,
        })
    }
}

/// Where a queue stands while nothing of it is in flight: all chains before `next` were handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number of the queue.
    pub queue: u16,
    /// Number of the next chain to take, modulo 2^16.
    pub next: u16,
    /// Bytes of that chain which were moved already.
    pub done: usize,
}

/// A running virtqueue.
#[derive(Debug)]
pub struct Queue {
    ring: SplitRing,
    ram: Ram,
    event_idx: bool,
    indirect: bool,
    /// Number of the next chain to take, and of the next to hand back, modulo 2^16.
    next_available: u16,
    next_used: u16,
    /// Chains handed back since an interrupt was last considered. Wider than an index: a driver that
    /// reaps as fast as chains come back can go round all 2^16 of them between two calls.
    unsignalled: u32,
    failed: Option<RingError>,
    /// Lists of completed chains, kept so that a request allocates nothing.
    spare: Vec<(Buffers, Buffers)>,
    wiring: Wiring,
    /// Optional tracer.
    trace: Option<Box<Tracer>>,
    number: u16,
    /// See [`Position::done`].
    done: usize,
}

impl Queue {
    /// The same queue, traced.
    pub fn traced(self, tracer: Tracer) -> Self {
        Self { trace: Some(Box::new(tracer)), ..self }
    }

    /// The same queue, going on from where one stood. The driver has seen all that was handed back before.
    pub fn at(self, Position { queue, next, done }: Position) -> Self {
        Self { next_available: next, next_used: next, number: queue, done, ..self }
    }

    /// Where it stands. To be asked while no chain is in flight.
    pub fn position(&self) -> Position {
        Position { queue: self.number, next: self.next_used, done: self.done }
    }

    /// Bytes of the next chain that were moved before the queue stopped; 0 from then on.
    pub fn take_done(&mut self) -> usize {
        std::mem::take(&mut self.done)
    }

    /// Entries of the ring.
    pub fn size(&self) -> u16 {
        self.ring.size()
    }

    /// Where kicks arrive.
    pub fn kick(&self) -> &EventFd {
        &self.wiring.kick
    }

    /// The RAM that its chains lie in.
    pub fn ram(&self) -> &Ram {
        &self.ram
    }

    /// Takes the next chain that the driver has made available.
    ///
    /// A driver that breaks the rules fails the queue: the same error comes back from then on.
    pub fn pop(&mut self) -> Result<Option<Chain>, RingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let available = self.ring.available_index();
        let waiting = available.wrapping_sub(self.next_available);
        if waiting == 0 {
            return Ok(None);
        }
        // Each chain holds a descriptor until it is handed back, so what waits and what was taken are
        // at most `size` together. This also bounds what a device has in flight.
        let size = self.ring.size();
        let taken = self.next_available.wrapping_sub(self.next_used);
        if u32::from(waiting) + u32::from(taken) > size.into() {
            return Err(self.fail(RingError::IndexJump { available, completed: self.next_used, size }));
        }
        let head = self.ring.available_head(self.next_available);
        let (mut readable, mut writable) =
            self.spare.pop().unwrap_or_else(|| (Buffers::new(self.ram.clone()), Buffers::new(self.ram.clone())));
        match walk(&self.ring, &self.ram, self.indirect, head, &mut readable, &mut writable) {
            Ok(()) => {
                if let Some(trace) = &mut self.trace {
                    trace.taken(&self.ring, &self.ram, self.next_available, head);
                }
                self.next_available = self.next_available.wrapping_add(1);
                Ok(Some(Chain { head, readable, writable }))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Whether the driver has made a chain available that was not taken yet. Costs one load.
    pub fn has_work(&self) -> bool {
        self.failed.is_none() && self.ring.available_index() != self.next_available
    }

    fn fail(&mut self, error: RingError) -> RingError {
        self.failed = Some(error);
        error
    }

    /// Hands a chain back, with the number of bytes that were written to the front of it.
    pub fn complete(&mut self, chain: Chain, written: u32) {
        self.stage(chain, written);
        self.publish();
    }

    /// As `complete`, but the driver sees nothing before `publish`: for data that fills several chains,
    /// which a driver must find together (§ 5.1.6.4).
    pub fn stage(&mut self, chain: Chain, written: u32) {
        let Chain { head, mut readable, mut writable } = chain;
        let counters = &self.wiring.counters;
        counters.requests.add(1);
        counters.bytes_to_guest.add(written.into());
        readable.clear();
        writable.clear();
        self.spare.push((readable, writable));
        self.ring.fill_used(self.next_used, head, written);
        if let Some(trace) = &mut self.trace {
            trace.handed_back(&self.ring, &self.ram, self.next_used, head, written);
        }
        self.next_used = self.next_used.wrapping_add(1);
        self.unsignalled = self.unsignalled.saturating_add(1);
    }

    /// Shows the driver all chains that were staged.
    pub fn publish(&mut self) {
        self.ring.publish_used(self.next_used);
    }

    /// Counts bytes of a request that came from the guest.
    pub fn count_from_guest(&self, bytes: u64) {
        self.wiring.counters.bytes_from_guest.add(bytes);
    }

    /// As `undo_pop`, for a chain of which `done` bytes were moved.
    pub fn undo_pop_partly(&mut self, chain: Chain, done: usize) {
        self.undo_pop(chain);
        self.done = done;
    }

    /// Puts the chain that was taken last back, as if it had not been taken.
    pub fn undo_pop(&mut self, chain: Chain) {
        let Chain { head, mut readable, mut writable } = chain;
        if let Some(trace) = &mut self.trace {
            trace.put_back(head);
        }
        readable.clear();
        writable.clear();
        self.spare.push((readable, writable));
        self.next_available = self.next_available.wrapping_sub(1);
    }

    /// Raises one interrupt for all that was completed since the last call, if the driver wants one.
    pub fn signal(&mut self) {
        let completed = std::mem::take(&mut self.unsignalled);
        if completed == 0 {
            return;
        }
        // The used index was stored; what the driver asked for is loaded.
        self.ring.store_then_load_fence();
        let wanted = if self.event_idx {
            // A whole turn passes every index there is.
            u16::try_from(completed).map_or(true, |completed| {
                passes(self.ring.used_event(), self.next_used, self.next_used.wrapping_sub(completed))
            })
        } else {
            !self.ring.no_interrupt()
        };
        if let Some(trace) = &mut self.trace {
            trace.signalled(&self.ring, wanted);
        }
        if wanted {
            self.wiring.counters.interrupts.add(1);
            self.wiring.interrupt.trigger();
        } else {
            self.wiring.counters.suppressed.add(1);
        }
    }

    /// Asks the driver for a kick with the next chain. `true` where chains arrived meanwhile: they
    /// must be taken now, no kick will come for them.
    pub fn enable_kicks(&mut self) -> bool {
        if self.event_idx {
            self.ring.set_available_event(self.next_available);
        } else {
            self.ring.set_no_notify(false);
        }
        // The request for a kick was stored; the driver's index is loaded.
        self.ring.store_then_load_fence();
        self.has_work()
    }

    /// Tells the driver that it need not kick: the queue is being looked at.
    pub fn disable_kicks(&mut self) {
        if self.event_idx {
            // The index just passed: the driver reaches it again after 2^16 chains.
            self.ring.set_available_event(self.next_available.wrapping_sub(1));
        } else {
            self.ring.set_no_notify(true);
        }
    }
}

#[cfg(test)]
#[path = "queue_test.rs"]
mod tests;
