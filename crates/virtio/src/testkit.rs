//! A fake driver over fake RAM: what a guest does to a queue, without a guest.
//!
//! It keeps rules of its own (a descriptor is free or in use), so that it is a second view of the ring
//! and not a mirror of the device's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests, which fail by a panic")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use illico_memory::{GuestAddress, Layout, Mapping, Pages, Ram, Window};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::config_space::ConfigWriter;
use crate::counters::QueueCounters;
use crate::device::{Activation, Device};
use crate::event_loop::Worker;
use crate::interrupt::Interrupt;
use crate::queue::{Position, Queue, QueueSetup, Wiring};
use crate::ring::split::{DESC_F_NEXT, DESC_F_WRITE, Descriptor};

/// RAM of `size` bytes from address 0.
pub fn ram(size: u64) -> Ram {
    Ram::new(&Layout::flat(size), Pages::Small).unwrap()
}

/// A part of a request.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    /// Bytes for the device to read.
    Readable(&'a [u8]),
    /// Room for the device to write, in bytes.
    Writable(usize),
}

/// A request that the device has handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The head that `FakeDriver::add` returned.
    pub head: u16,
    /// What the device says that it wrote.
    pub written: u32,
    /// All of the writable buffers.
    pub data: Vec<u8>,
}

/// The driver's side of one queue. Its rings and buffers lie in `RAM` at the address that it was given.
#[derive(Debug)]
pub struct FakeDriver {
    ram: Ram,
    base: u64,
    size: u16,
    features: u64,
    free: Vec<u16>,
    /// By head.
    in_flight: Vec<Option<InFlight>>,
    available: u16,
    seen: u16,
    next_buffer: u64,
    /// Kicks go here.
    pub kick: Arc<EventFd>,
    /// One for each interrupt.
    pub interrupts: Arc<EventFd>,
    /// What the device counted.
    pub counters: Arc<QueueCounters>,
}

/// The descriptors of a request, and its writable ranges.
type InFlight = (Vec<u16>, Vec<(u64, usize)>);

/// How much of RAM a driver uses for rings and buffers.
pub const FOOTPRINT: u64 = 4 << 20;
const BUFFERS: u64 = 0x10000;

impl FakeDriver {
    /// A driver of a queue of `size` entries, in `FOOTPRINT` bytes of RAM from `base` on.
    pub fn new(ram: &Ram, base: u64, size: u16, features: u64) -> Self {
        Self {
            ram: ram.clone(),
            base,
            size,
            features,
            free: (0..size).rev().collect(),
            in_flight: vec![None; size.into()],
            available: 0,
            seen: 0,
            next_buffer: base + BUFFERS,
            kick: Arc::new(EventFd::new(EFD_NONBLOCK).unwrap()),
            interrupts: Arc::new(EventFd::new(EFD_NONBLOCK).unwrap()),
            counters: Arc::default(),
        }
    }

    /// The device's side of the queue.
    pub fn queue(&self) -> Queue {
        let interrupt = Interrupt::from_eventfd(self.interrupts.try_clone().unwrap());
        let wiring = Wiring { interrupt, kick: Arc::clone(&self.kick), counters: Arc::clone(&self.counters) };
        self.setup().build(&self.ram, self.features, wiring).unwrap()
    }

    /// The registers that describe the queue.
    pub fn setup(&self) -> QueueSetup {
        QueueSetup {
            max_size: self.size,
            size: self.size,
            ready: true,
            table: GuestAddress(self.base),
            available: GuestAddress(self.available_ring()),
            used: GuestAddress(self.used_ring()),
        }
    }

    fn available_ring(&self) -> u64 {
        self.base + 0x8000
    }

    fn used_ring(&self) -> u64 {
        self.base + 0xc000
    }

    fn u16_at(&self, address: u64) -> u16 {
        self.ram.window(GuestAddress(address), 2).unwrap().load_u16(0, Ordering::Acquire)
    }

    /// Writes a 16-bit field where it likes: what a hostile driver does.
    pub fn poke_u16(&self, address: u64, value: u16) {
        self.ram.window(GuestAddress(address), 2).unwrap().store_u16(0, value, Ordering::Release);
    }

    /// Writes a descriptor where it likes.
    pub fn poke_descriptor(&self, index: u16, descriptor: Descriptor) {
        self.ram.window(GuestAddress(self.base + 16 * u64::from(index)), 16).unwrap().write(0, &descriptor);
    }

    /// Makes a head available, whatever its descriptors say.
    pub fn offer(&mut self, head: u16) {
        let slot = u64::from(self.available % self.size);
        self.poke_u16(self.available_ring() + 4 + 2 * slot, head);
        self.available = self.available.wrapping_add(1);
        self.poke_u16(self.available_ring() + 2, self.available);
    }

    /// Sets the available index, honest or not.
    pub fn set_available_index(&mut self, index: u16) {
        self.available = index;
        self.poke_u16(self.available_ring() + 2, index);
    }

    /// Makes a request available and gives its head. `None` where descriptors have run out.
    pub fn add(&mut self, parts: &[Part<'_>]) -> Option<u16> {
        if parts.is_empty() || self.free.len() < parts.len() {
            return None;
        }
        let taken: Vec<u16> = self.free.split_off(self.free.len() - parts.len());
        let mut writable = Vec::new();
        for (position, (part, &index)) in parts.iter().zip(&taken).enumerate() {
            let (len, flag) = match part {
                Part::Readable(bytes) => (bytes.len(), 0),
                Part::Writable(len) => (*len, DESC_F_WRITE),
            };
            let address = self.buffer(len);
            match part {
                Part::Readable(bytes) => self.ram.write(GuestAddress(address), bytes).unwrap(),
                Part::Writable(len) => writable.push((address, *len)),
            }
            let next = taken.get(position + 1).copied();
            self.poke_descriptor(
                index,
                Descriptor {
                    address,
                    len: len as u32,
                    flags: flag | if next.is_some() { DESC_F_NEXT } else { 0 },
                    next: next.unwrap_or(0),
                },
            );
        }
        let head = taken[0];
        self.in_flight[usize::from(head)] = Some((taken, writable));
        self.offer(head);
        Some(head)
    }

    /// A place for `len` bytes; places are used again after a while, as a ring of memory.
    fn buffer(&mut self, len: usize) -> u64 {
        let room = len.next_multiple_of(16) as u64 + 16;
        if self.next_buffer + room > self.base + FOOTPRINT {
            self.next_buffer = self.base + BUFFERS;
        }
        let at = self.next_buffer;
        self.next_buffer += room;
        at
    }

    /// Kicks, without asking whether the device wants it.
    pub fn kick(&self) {
        self.kick.write(1).unwrap();
    }

    /// Whether the device asked for a kick for what was added since the available index was `old`.
    pub fn kick_wanted(&self, old: u16) -> bool {
        if self.features & crate::spec::feature::EVENT_IDX != 0 {
            let event = self.u16_at(self.used_ring() + 4 + 8 * u64::from(self.size));
            crate::ring::split::passes(event, self.available, old)
        } else {
            self.u16_at(self.used_ring()) & 1 == 0
        }
    }

    /// Asks for an interrupt when the used index passes `event` (EVENT_IDX).
    pub fn set_used_event(&self, event: u16) {
        self.poke_u16(self.available_ring() + 4 + 2 * u64::from(self.size), event);
    }

    /// How many chains were made available, modulo 2^16.
    pub fn available_index(&self) -> u16 {
        self.available
    }

    /// Takes the next request that the device has handed back, and checks that it was in flight.
    pub fn take_used(&mut self) -> Option<Used> {
        if self.u16_at(self.used_ring() + 2) == self.seen {
            return None;
        }
        let slot = u64::from(self.seen % self.size);
        let entry: [u32; 2] = self.ram.window(GuestAddress(self.used_ring() + 4 + 8 * slot), 8).unwrap().read(0);
        let head = u16::try_from(entry[0]).expect("used id is a descriptor index");
        let (descriptors, writable) =
            self.in_flight[usize::from(head)].take().expect("the device hands back each chain once");
        self.free.extend(descriptors);
        self.seen = self.seen.wrapping_add(1);
        let mut data = Vec::new();
        for (address, len) in writable {
            let start = data.len();
            data.resize(start + len, 0);
            self.ram.read(GuestAddress(address), &mut data[start..]).unwrap();
        }
        Some(Used { head, written: entry[1], data })
    }

    /// How many interrupts came since the last call.
    pub fn take_interrupts(&self) -> u64 {
        self.interrupts.read().unwrap_or(0)
    }
}

/// A device started on fake queues, with its workers in hand: tests call them as a loop would.
pub struct Bench {
    /// The RAM that drivers and device share.
    pub ram: Ram,
    /// A driver for each queue.
    pub drivers: Vec<FakeDriver>,
    /// What the device started.
    pub workers: Vec<Box<dyn Worker>>,
    /// The configuration space as the driver sees it, generation behind it in the last byte.
    pub config: Window,
    /// One for each configuration change.
    pub config_changes: Arc<EventFd>,
    features: u64,
}

impl Bench {
    /// Starts `device` with all it offers plus the features of the ring that are named.
    pub fn start(device: &mut dyn Device, ring_features: u64) -> Self {
        let sizes = device.queue_sizes();
        let ram = ram(FOOTPRINT * (sizes.len() as u64 + 1));
        let features = device.features() | crate::spec::feature::VERSION_1 | ring_features;
        let place = |(index, &size): (usize, &u16)| FakeDriver::new(&ram, FOOTPRINT * index as u64, size, features);
        let drivers: Vec<_> = sizes.iter().enumerate().map(place).collect();
        let page = Mapping::anonymous(4096, Pages::Small).unwrap();
        let config_changes = Arc::new(EventFd::new(EFD_NONBLOCK).unwrap());
        let config = ConfigWriter {
            space: page.part(0, 4095).unwrap(),
            generation: page.part(4095, 1).unwrap(),
            interrupt: Interrupt::from_eventfd(config_changes.try_clone().unwrap()),
        };
        page.copy_from(0, &device.config());
        let queue = |(number, driver): (usize, &FakeDriver)| {
            Some(driver.queue().at(Position { queue: number as u16, next: 0, done: 0 }))
        };
        let queues = drivers.iter().enumerate().map(queue).collect();
        let activation = Activation { ram: ram.clone(), features, queues, config };
        let workers = device.start(activation).unwrap();
        Self { ram, drivers, workers, config: page, config_changes, features }
    }

    /// Stops all workers, as a reset or a snapshot does, and starts the device again from where its queues stood.
    pub fn stop_and_go_on(&mut self, device: &mut dyn Device) -> Vec<Position> {
        let mut positions: Vec<_> = self.workers.iter_mut().flat_map(|worker| worker.stop()).collect();
        positions.sort_by_key(|position| position.queue);
        self.workers.clear();
        let numbers: Vec<_> = positions.iter().map(|position| usize::from(position.queue)).collect();
        assert!(numbers.iter().copied().eq(0..self.drivers.len()), "each queue comes back once: {numbers:?}");
        let queue = |(driver, position): (&FakeDriver, &Position)| Some(driver.queue().at(*position));
        let queues = self.drivers.iter().zip(&positions).map(queue).collect();
        let config = ConfigWriter {
            space: self.config.part(0, 4095).unwrap(),
            generation: self.config.part(4095, 1).unwrap(),
            interrupt: Interrupt::from_eventfd(self.config_changes.try_clone().unwrap()),
        };
        let activation = Activation { ram: self.ram.clone(), features: self.features, queues, config };
        self.workers = device.start(activation).unwrap();
        positions
    }
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bench({} drivers, {} workers)", self.drivers.len(), self.workers.len())
    }
}
