//! `pmem`: maps the region that a pmem device announces (VirtIO 1.3, 5.19), reads all of it `probe.passes=N` times (the
//! first time faults its pages in; the least time is told, as an interruption only ever adds), with
//! `probe.write=<offset>` writes a word there, and asks for a flush.

use super::{Failure, Outcome};
use crate::device::Kind;
use crate::dma::Pages;
use crate::gate::cycles;
use crate::machine::Machine;
use crate::memory::PAGE;
use crate::patience::Patience;
use crate::region::Region;
use crate::ring::{F_VERSION_1, Piece, Ring};
use crate::{paging, say};

const REQUEST_FLUSH: u32 = 0;
const ANSWER: usize = 64;
/// What `probe.write` writes.
const WRITTEN: u64 = 0x7072_6f62_6520_6f6b;

pub(super) fn run(machine: &Machine) -> Outcome {
    let registers = machine.registers(Kind::PMEM)?;
    let features = registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    let start: u64 =
        u64::from(registers.configuration().read::<u32>(4)) << 32 | u64::from(registers.configuration().read::<u32>(0));
    let size: u64 = u64::from(registers.configuration().read::<u32>(12)) << 32
        | u64::from(registers.configuration().read::<u32>(8));
    let mut ring = Ring::set_up(&registers, 0, 8, features).ok_or(Failure("no-queue"))?;
    registers.go();
    if size == 0 || !paging::map(start, size) {
        return Err(Failure("no-region"));
    }
    let region = Region(start as usize);
    let passes = machine.command_line.number("passes", 1).max(1);
    let (mut sum, mut spent) = (0, u64::MAX);
    for _ in 0..passes {
        let before = cycles();
        sum = (0..size).step_by(8).fold(0_u64, |sum, offset| sum.wrapping_add(region.read(offset as usize)));
        spent = spent.min(cycles().wrapping_sub(before));
    }
    say!(
        "pmem start={start:#x} size={size:#x} first={:#x} sum={sum:#x} passes={passes} cycles={spent}",
        region.read::<u64>(0)
    );

    let offset = machine.command_line.number("write", u64::MAX);
    if offset <= size.saturating_sub(8) {
        region.write(offset as usize, WRITTEN);
    }
    let buffer = Pages::new(PAGE).ok_or(Failure("no-memory"))?;
    buffer.region().write(0, REQUEST_FLUSH);
    buffer.region().write(ANSWER, u32::MAX);
    let address = buffer.address();
    ring.add(&[Piece::Read(address, 4), Piece::Write(address + ANSWER as u64, 4)]).ok_or(Failure("queue-full"))?;
    ring.kick_if_wanted();
    let used = Patience::of_seconds(5).wait(|| ring.take()).ok_or(Failure("no-answer"))?;
    say!(
        "pmem flush={} written={} wrote={}",
        buffer.region().read::<u32>(ANSWER),
        used.written,
        u8::from(offset < size)
    );
    registers.reset();
    Ok(())
}
