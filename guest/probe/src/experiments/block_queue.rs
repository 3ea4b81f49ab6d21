//! A block device by our own ring (VirtIO 1.3, 5.2): slots with a 4 KiB buffer each, requests of every type, honest or
//! not. Memory of a slot: the buffer, behind it the header, the status byte, and a segment for discard.

use alloc::vec::Vec;

use super::Failure;
use crate::device::Kind;
use crate::dma::Pages;
use crate::gate::interrupt_count;
use crate::machine::Machine;
use crate::patience::Patience;
use crate::registers::Registers;
use crate::ring::{F_EVENT_IDX, F_VERSION_1, Piece, Ring};

pub(super) const BLOCK: usize = 4096;
pub(super) const SECTOR: usize = 512;

pub(super) const IN: u32 = 0;
pub(super) const OUT: u32 = 1;
pub(super) const FLUSH: u32 = 4;
pub(super) const GET_ID: u32 = 8;
pub(super) const DISCARD: u32 = 11;
pub(super) const WRITE_ZEROES: u32 = 13;
pub(super) const OK: u8 = 0;

const F_RO: u64 = 1 << 5;
const F_FLUSH: u64 = 1 << 9;
const F_DISCARD: u64 = 1 << 13;
const F_WRITE_ZEROES: u64 = 1 << 14;

const HEADER: usize = BLOCK;
const HEADER_SIZE: u32 = 16;
const STATUS: usize = BLOCK + 32;
const SEGMENT: usize = BLOCK + 64;
const SEGMENT_SIZE: u32 = 16;
const SLOT: usize = 2 * BLOCK;
/// Three descriptors each in a ring of this size.
const RING: u16 = 256;
const SLOTS: usize = 64;
const PATIENCE_SECONDS: u64 = 10;
/// What a status byte says that no device wrote.
const UNWRITTEN: u8 = 0xee;

pub(super) struct BlockQueue {
    registers: Registers,
    ring: Ring,
    slots: Vec<Pages>,
    /// Which slot a chain belongs to, by its head.
    heads: Vec<usize>,
    /// Interrupts before the one that is waited for.
    seen: u64,
    /// In sectors.
    pub(super) capacity: u64,
}

impl BlockQueue {
    pub(super) fn open(machine: &Machine) -> Result<Self, Failure> {
        let registers = machine.registers(Kind::BLOCK)?;
        let event_idx = if machine.command_line.option("event_idx") == Some("off") { 0 } else { F_EVENT_IDX };
        let wanted = F_VERSION_1 | F_RO | F_FLUSH | F_DISCARD | F_WRITE_ZEROES | event_idx;
        let features = registers.begin(wanted).ok_or(Failure("features-refused"))?;
        let configuration = registers.configuration();
        let capacity = u64::from(configuration.read::<u32>(4)) << 32 | u64::from(configuration.read::<u32>(0));
        registers.set_vector(0);
        let ring = Ring::set_up(&registers, 0, RING, features).ok_or(Failure("no-queue"))?;
        registers.go();
        let count = SLOTS.min(usize::from(ring.size()) / 3);
        let slots: Option<Vec<Pages>> = (0..count).map(|_| Pages::new(SLOT)).collect();
        let heads = alloc::vec![0; usize::from(ring.size())];
        Ok(Self { registers, ring, slots: slots.ok_or(Failure("no-memory"))?, heads, seen: 0, capacity })
    }

    pub(super) fn close(self) {
        self.registers.reset();
    }

    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn vector(&self) -> u8 {
        self.registers.vector(0)
    }

    pub(super) fn kicks(&self) -> u64 {
        self.ring.kicks
    }

    pub(super) fn kick_if_wanted(&mut self) {
        self.ring.kick_if_wanted();
    }

    pub(super) fn status(&self, slot: usize) -> u8 {
        self.slots[slot].region().read(STATUS)
    }

    /// Where the last request of a slot began.
    pub(super) fn sector(&self, slot: usize) -> u64 {
        self.slots[slot].region().read(HEADER + 8)
    }

    /// Fills a slot's buffer with words by their byte offset.
    pub(super) fn fill(&mut self, slot: usize, word: impl Fn(u64) -> u64) {
        let region = self.slots[slot].region();
        (0..BLOCK).step_by(8).for_each(|at| region.write(at, word(at as u64)));
    }

    /// How many words of a slot's buffer are not as they should be.
    pub(super) fn words_unlike(&self, slot: usize, word: impl Fn(u64) -> u64) -> u64 {
        let region = self.slots[slot].region();
        (0..BLOCK).step_by(8).filter(|at| region.read::<u64>(*at) != word(*at as u64)).count() as u64
    }

    fn add(&mut self, slot: usize, kind: u32, sector: u64, data: Option<Piece>) -> Result<(), Failure> {
        let region = self.slots[slot].region();
        let address = self.slots[slot].address();
        region.write(HEADER, kind);
        region.write(HEADER + 4, 0_u32);
        region.write(HEADER + 8, sector);
        region.write(STATUS, UNWRITTEN);
        let header = Piece::Read(address + HEADER as u64, HEADER_SIZE);
        let status = Piece::Write(address + STATUS as u64, 1);
        let added = match data {
            Some(data) => self.ring.add(&[header, data, status]),
            None => self.ring.add(&[header, status]),
        };
        let head = added.ok_or(Failure("queue-full"))?;
        self.heads[usize::from(head)] = slot;
        Ok(())
    }

    /// Adds a read of a whole block.
    pub(super) fn read(&mut self, slot: usize, block: u64) -> Result<(), Failure> {
        let data = Piece::Write(self.slots[slot].address(), BLOCK as u32);
        self.add(slot, IN, block * (BLOCK / SECTOR) as u64, Some(data))
    }

    /// The slot of the next finished request, by looking again and again.
    pub(super) fn wait(&mut self) -> Result<usize, Failure> {
        let used = Patience::of_seconds(PATIENCE_SECONDS).wait(|| self.ring.take()).ok_or(Failure("no-answer"))?;
        self.heads.get(used.head as usize).copied().ok_or(Failure("unknown-head"))
    }

    /// Asks for an interrupt when the next request is finished; to be done before its kick.
    pub(super) fn want_interrupt(&mut self) {
        self.ring.want_interrupt(true);
        self.seen = interrupt_count(self.vector());
    }

    /// The slot of the only request, after the interrupt that was asked for.
    pub(super) fn wait_each_interrupt(&mut self) -> Result<usize, Failure> {
        crate::gate::wait_interrupt(self.vector(), self.seen);
        self.registers.acknowledge();
        self.wait()
    }

    /// The slot of the next finished request, halted until the device interrupts.
    pub(super) fn wait_interrupt(&mut self) -> usize {
        loop {
            if let Some(used) = self.ring.take() {
                return self.heads.get(used.head as usize).copied().unwrap_or(0);
            }
            let seen = interrupt_count(self.vector());
            if !self.ring.want_interrupt(true) {
                crate::gate::wait_interrupt(self.vector(), seen);
                self.registers.acknowledge();
            }
        }
    }

    /// One request with slot 0 and `length` bytes of its buffer; its status.
    pub(super) fn request(&mut self, kind: u32, sector: u64, length: usize) -> Result<u8, Failure> {
        let address = self.slots[0].address();
        let data = match (kind, length as u32) {
            (_, 0) => None,
            (OUT, length) => Some(Piece::Read(address, length)),
            (_, length) => Some(Piece::Write(address, length)),
        };
        self.finish(kind, sector, data)
    }

    /// Discard or write zeroes of one block.
    pub(super) fn range(&mut self, kind: u32, sector: u64) -> Result<u8, Failure> {
        let region = self.slots[0].region();
        region.write(SEGMENT, sector);
        region.write(SEGMENT + 8, (BLOCK / SECTOR) as u32);
        region.write(SEGMENT + 12, 0_u32);
        let data = Piece::Read(self.slots[0].address() + SEGMENT as u64, SEGMENT_SIZE);
        self.finish(kind, 0, Some(data))
    }

    fn finish(&mut self, kind: u32, sector: u64, data: Option<Piece>) -> Result<u8, Failure> {
        self.ring.want_interrupt(false);
        self.add(0, kind, sector, data)?;
        self.ring.kick_if_wanted();
        self.wait()?;
        Ok(self.status(0))
    }
}
