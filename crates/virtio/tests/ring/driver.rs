//! A driver's side of one split virtqueue (VirtIO 1.3 § 2.7), written from the driver's requirements
//! and from nothing of the device's code: numbers come from the kernel's own headers.
//!
//! It may drive several RAMs at once. All of them see the same stores, and a load must find the same
//! in each: that is how two implementations of a device are compared.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{Ordering, fence};

use illico_memory::{GuestAddress, Layout, Pages, Ram, Window};
use illico_virtio::queue::QueueSetup;
use virtio_bindings::virtio_ring::{
    VRING_AVAIL_F_NO_INTERRUPT, VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE, VRING_USED_F_NO_NOTIFY,
};

pub(crate) const RAM_SIZE: u64 = 1 << 20;
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x4002;
const USED: u64 = 0x6004;
const ARENA: u64 = 0x1_0000;

/// What is in memory that was never written.
pub(crate) const UNTOUCHED: u8 = 0xa5;

/// Where a chain's descriptors lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// All in the ring's table.
    Direct,
    /// This many in the ring's table, the others in an indirect one.
    Indirect { direct: usize },
}

/// A request: lengths of its buffers, 0 included.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) readable: Vec<u32>,
    pub(crate) writable: Vec<u32>,
    pub(crate) place: Place,
}

/// A buffer of a request in guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) address: u64,
    pub(crate) len: u32,
    pub(crate) writable: bool,
}

/// A request that the device has, or has handed back.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) serial: u64,
    pub(crate) ranges: Vec<Range>,
    descriptors: Vec<u16>,
}

impl Request {
    /// What the device must find in the readable buffers.
    pub(crate) fn question(&self) -> Vec<u8> {
        text(self.serial, self.len_of(false))
    }

    /// What it is to write to the writable ones.
    pub(crate) fn answer(&self, written: usize) -> Vec<u8> {
        text(!self.serial, written)
    }

    pub(crate) fn len_of(&self, writable: bool) -> usize {
        self.ranges.iter().filter(|range| range.writable == writable).map(|range| range.len as usize).sum()
    }
}

/// Bytes that tell requests and positions apart.
fn text(seed: u64, len: usize) -> Vec<u8> {
    let mix = |n: usize| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(n as u32 % 61) >> 7) as u8 ^ n as u8;
    (0..len).map(mix).collect()
}

pub(crate) struct Driver {
    memories: Vec<(Ram, Window)>,
    size: u16,
    event_idx: bool,
    free: VecDeque<u16>,
    in_flight: HashMap<u16, Request>,
    serial: u64,
    next_byte: u64,
    /// Chains published, and how many of them a kick was considered for.
    pub(crate) available: u16,
    pub(crate) considered: u16,
    /// Used entries taken.
    pub(crate) seen: u16,
}

impl Driver {
    pub(crate) fn new(size: u16, event_idx: bool, memories: usize) -> Self {
        let memory = || {
            let ram = Ram::new(&Layout::flat(RAM_SIZE), Pages::Small).unwrap();
            let window = ram.window(GuestAddress(0), RAM_SIZE).unwrap();
            window.fill(ARENA as usize, (RAM_SIZE - ARENA) as usize, UNTOUCHED);
            (ram, window)
        };
        Self {
            memories: (0..memories).map(|_| memory()).collect(),
            size,
            event_idx,
            free: (0..size).collect(),
            in_flight: HashMap::new(),
            serial: 0,
            next_byte: ARENA,
            available: 0,
            considered: 0,
            seen: 0,
        }
    }

    pub(crate) fn ram(&self, memory: usize) -> &Ram {
        &self.memories[memory].0
    }

    pub(crate) fn setup(&self) -> QueueSetup {
        QueueSetup {
            max_size: self.size,
            size: self.size,
            ready: true,
            table: GuestAddress(TABLE),
            available: GuestAddress(AVAILABLE),
            used: GuestAddress(USED),
        }
    }

    pub(crate) fn store_u16(&self, address: u64, value: u16) {
        for (_, memory) in &self.memories {
            memory.store_u16(address as usize, value, Ordering::Release);
        }
    }

    fn load_u16(&self, address: u64) -> u16 {
        let mut values = self.memories.iter().map(|(_, memory)| memory.load_u16(address as usize, Ordering::Acquire));
        let first = values.next().unwrap();
        assert!(values.all(|value| value == first), "two devices wrote different things to {address:#x}");
        first
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        for (_, memory) in &self.memories {
            memory.copy_from(address as usize, bytes);
        }
    }

    fn bytes(&self, address: u64, len: usize) -> Vec<u8> {
        let mut images = self.memories.iter().map(|(_, memory)| {
            let mut bytes = vec![0; len];
            memory.copy_to(address as usize, &mut bytes);
            bytes
        });
        let first = images.next().unwrap();
        assert!(images.all(|image| image == first), "two devices wrote different things around {address:#x}");
        first
    }

    fn available_event(&self) -> usize {
        USED as usize + 4 + 8 * usize::from(self.size)
    }

    fn place(&mut self, len: u64) -> u64 {
        // A gap after each buffer shows a write past its end.
        let room = len + 9;
        if self.next_byte + room > RAM_SIZE {
            self.next_byte = ARENA;
        }
        let at = self.next_byte;
        self.next_byte += room;
        at
    }

    fn put_descriptor(&self, at: u64, address: u64, len: u32, flags: u32, next: u16) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        bytes[12..14].copy_from_slice(&(flags as u16).to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        self.write(at, &bytes);
    }

    /// Fills descriptors and publishes the chain. `None` where it does not fit.
    pub(crate) fn add(&mut self, shape: &Shape) -> Option<u16> {
        let count = shape.readable.len() + shape.writable.len();
        let in_ring = match shape.place {
            Place::Direct => count,
            Place::Indirect { direct } => direct.min(count.saturating_sub(1)) + 1,
        };
        if count == 0 || count > self.size.into() || in_ring > self.free.len() {
            return None;
        }
        self.serial += 1;
        let mut request = Request { serial: self.serial, ranges: Vec::new(), descriptors: Vec::new() };
        for (lens, writable) in [(&shape.readable, false), (&shape.writable, true)] {
            for &len in lens {
                let address = self.place(len.into());
                self.write(address, &vec![UNTOUCHED; len as usize + 9]);
                request.ranges.push(Range { address, len, writable });
            }
        }
        let question = request.question();
        let mut rest = question.as_slice();
        for range in request.ranges.iter().filter(|range| !range.writable) {
            let (now, later) = rest.split_at(range.len as usize);
            self.write(range.address, now);
            rest = later;
        }
        // Taken out of order, so that chains are not neighbours in the table.
        request.descriptors = (0..in_ring)
            .map(|n| if n % 2 == 0 { self.free.pop_front() } else { self.free.pop_back() }.unwrap())
            .collect();
        let table = self.place(16 * count as u64);
        for (n, range) in request.ranges.iter().enumerate() {
            let write = if range.writable { VRING_DESC_F_WRITE } else { 0 };
            let more = if n + 1 < count { VRING_DESC_F_NEXT } else { 0 };
            let pointed_to =
                matches!(shape.place, Place::Indirect { .. }).then(|| n.checked_sub(in_ring - 1)).flatten();
            if let Some(entry) = pointed_to {
                // Backwards in the table after the first: a device must follow `next`.
                let last = count - in_ring;
                let position = |entry: usize| if entry == 0 { 0 } else { last - entry + 1 };
                let next = if more != 0 { position(entry + 1) as u16 } else { 0 };
                self.put_descriptor(table + 16 * position(entry) as u64, range.address, range.len, write | more, next);
            } else {
                let at = TABLE + 16 * u64::from(request.descriptors[n]);
                let next = request.descriptors.get(n + 1).copied().unwrap_or(0xdead);
                self.put_descriptor(at, range.address, range.len, write | more, next);
            }
        }
        if matches!(shape.place, Place::Indirect { .. }) {
            let at = TABLE + 16 * u64::from(request.descriptors[in_ring - 1]);
            let entries = count - (in_ring - 1);
            // The write flag of the pointer means nothing (§ 2.7.5.3.2).
            let flags = VRING_DESC_F_INDIRECT | if request.serial.is_multiple_of(2) { VRING_DESC_F_WRITE } else { 0 };
            self.put_descriptor(at, table, 16 * entries as u32, flags, 0xdead);
        }
        let head = request.descriptors[0];
        assert!(self.in_flight.insert(head, request).is_none());
        self.store_u16(AVAILABLE + 4 + 2 * u64::from(self.available % self.size), head);
        self.available = self.available.wrapping_add(1);
        self.store_u16(AVAILABLE + 2, self.available);
        Some(head)
    }

    pub(crate) fn request(&self, head: u16) -> &Request {
        &self.in_flight[&head]
    }

    /// § 2.7.13.4: whether what was added since the last question needs a kick.
    pub(crate) fn kick_wanted(&mut self) -> bool {
        fence(Ordering::SeqCst);
        let (new, old) = (self.available, std::mem::replace(&mut self.considered, self.available));
        if !self.event_idx {
            return u32::from(self.load_u16(USED)) & VRING_USED_F_NO_NOTIFY == 0 && new != old;
        }
        // The first device's request: while it wants no kicks at all it may say so by any index.
        let event = self.memories[0].1.load_u16(self.available_event(), Ordering::Acquire);
        // Whether one of the chains added is number `event`, said without arithmetic on the difference.
        (0..new.wrapping_sub(old)).any(|n| old.wrapping_add(n) == event)
    }

    /// Takes back a request, with what the device says that it wrote.
    pub(crate) fn take_used(&mut self) -> Option<(Request, u32)> {
        if self.load_u16(USED + 2) == self.seen {
            return None;
        }
        let entry = self.bytes(USED + 4 + 8 * u64::from(self.seen % self.size), 8);
        self.seen = self.seen.wrapping_add(1);
        let id = u32::from_le_bytes(entry[..4].try_into().unwrap());
        let written = u32::from_le_bytes(entry[4..].try_into().unwrap());
        let request = self.in_flight.remove(&u16::try_from(id).unwrap()).expect("each chain comes back once");
        self.free.extend(&request.descriptors);
        Some((request, written))
    }

    /// Checks every byte of a request that came back, and of the gaps behind its buffers.
    pub(crate) fn check(&self, request: &Request, written: u32) {
        let mut answer = request.answer(written as usize);
        let (mut question, room) = (request.question(), request.len_of(true));
        answer.resize(room, UNTOUCHED);
        for range in &request.ranges {
            let source = if range.writable { &mut answer } else { &mut question };
            let mut expected: Vec<u8> = source.drain(..range.len as usize).collect();
            expected.resize(range.len as usize + 9, UNTOUCHED);
            assert_eq!(self.bytes(range.address, expected.len()), expected, "request {} at {range:x?}", request.serial);
        }
    }

    /// Checks that a device answered with what it was asked.
    pub(crate) fn check_echo(&self, request: &Request) {
        let answer: Vec<u8> = request
            .ranges
            .iter()
            .filter(|range| range.writable)
            .flat_map(|range| self.bytes(range.address, range.len as usize))
            .collect();
        assert_eq!(answer, request.question());
    }

    pub(crate) fn used_waiting(&self) -> bool {
        self.load_u16(USED + 2) != self.seen
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Asks for an interrupt with the used entry after the next `ahead` ones.
    pub(crate) fn want_interrupt(&self, ahead: u16) {
        if self.event_idx {
            self.store_u16(AVAILABLE + 4 + 2 * u64::from(self.size), self.seen.wrapping_add(ahead));
        } else {
            self.store_u16(AVAILABLE, 0);
        }
        fence(Ordering::SeqCst);
    }

    pub(crate) fn want_no_interrupt(&self) {
        if self.event_idx {
            // The index that was just passed is the farthest away.
            self.store_u16(AVAILABLE + 4 + 2 * u64::from(self.size), self.seen.wrapping_sub(1));
        } else {
            self.store_u16(AVAILABLE, VRING_AVAIL_F_NO_INTERRUPT as u16);
        }
    }

    /// All of guest memory, without the field by which a device says at which index it wants a kick:
    /// a device that wants none may write anything there.
    pub(crate) fn image(&self, memory: usize) -> Vec<u8> {
        let mut image = vec![0; RAM_SIZE as usize];
        self.memories[memory].1.copy_to(0, &mut image);
        let field = self.available_event();
        image[field..field + 2].fill(0);
        image
    }

    /// Lets the device take and hand back `rounds` ring sizes of chains of nothing, fast: indices wrap
    /// only after 65,536 of them.
    pub(crate) fn run_up(&mut self, rounds: u16, mut serve: impl FnMut(u16)) {
        for n in 0..self.size {
            self.put_descriptor(TABLE + 16 * u64::from(n), ARENA, 0, 0, 0);
            self.store_u16(AVAILABLE + 4 + 2 * u64::from(n), n);
        }
        for _ in 0..rounds {
            self.available = self.available.wrapping_add(self.size);
            self.store_u16(AVAILABLE + 2, self.available);
            serve(self.size);
        }
        (self.considered, self.seen) = (self.available, self.available);
    }
}
