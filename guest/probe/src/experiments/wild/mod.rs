//! `wild[=rings|registers|platform]`: what a hostile guest does. After each attack on a device it must say
//! DEVICE_NEEDS_RESET, or complete, or ignore it; be reset; and at the end of a series work for an honest driver. The
//! console is left alone while it is what the report goes through.
//!
//! `probe.attacks=NAME,NAME` leaves all other attacks on the platform and on rings out.
//!
//! One line an attack: `wild device=<kind> attack=<name> verdict=<needs-reset|completed|ignored> reset=<0|1>`, and one a
//! series: `wild device=<kind> alive=<0|1>`.

use alloc::vec::Vec;

use super::{Failure, Outcome};
use crate::device::{Device, Kind};
use crate::dma::Pages;
use crate::machine::Machine;
use crate::patience::Patience;
use crate::registers::Registers;
use crate::ring::{F_VERSION_1, Piece, Ring};
use crate::say;

mod platform;
mod registers;
mod rings;

const PATIENCE_MILLISECONDS: u64 = 30;
/// Header and data of a request that every device takes apart in some way; also the place for indirect tables.
const SCRATCH: usize = 1 << 16;

pub(super) fn run(machine: &Machine, only: Option<&str>) -> Outcome {
    let wanted = |series| only.is_none_or(|only| only == series);
    if wanted("platform") {
        platform::run(machine);
    }
    let uart = machine.command_line.wants_uart();
    for device in machine.devices.iter().filter(|device| uart || device.kind != Kind::CONSOLE) {
        let registers = Registers::open(device).ok_or(Failure("no-registers"))?;
        if wanted("registers") {
            registers::run(device, &registers)?;
        }
        if wanted("rings") {
            rings::run(machine, device, &registers)?;
        }
        say!("wild device={} alive={}", device.kind.name(), u8::from(alive(device, &registers)));
    }
    Ok(())
}

/// Whether an attack is one of those that were asked for, if some were.
fn is_wanted(machine: &Machine, attack: &str) -> bool {
    machine.command_line.option("attacks").is_none_or(|names| names.split(',').any(|name| name == attack))
}

/// The queue that a device takes chains from without anything else having to happen.
fn busy_queue(kind: Kind) -> u16 {
    u16::from(matches!(kind, Kind::NET | Kind::CONSOLE))
}

/// The queues before that one, as they should be: some devices do not start without.
fn neighbours(device: &Device, registers: &Registers) -> Vec<Ring> {
    (0..busy_queue(device.kind)).filter_map(|queue| Ring::set_up(registers, queue, 8, F_VERSION_1)).collect()
}

/// What a device made of an attack; it is reset then.
fn verdict(device: &Device, registers: &Registers, attack: &str, ring: Option<&Ring>) {
    let seen = Patience::of_milliseconds(PATIENCE_MILLISECONDS).wait(|| {
        if registers.status() & crate::registers::NEEDS_RESET != 0 {
            return Some("needs-reset");
        }
        ring.is_some_and(|ring| ring.used_index() != 0).then_some("completed")
    });
    let reset = registers.reset();
    let name = device.kind.name();
    say!("wild device={name} attack={attack} verdict={} reset={}", seen.unwrap_or("ignored"), u8::from(reset));
}

/// Whether an honest request still comes back: of any device one with 16 bytes to read and 513 to write, which an
/// entropy device fills, a disk takes for a read of sector 0, and others at least return or leave alone.
fn alive(device: &Device, registers: &Registers) -> bool {
    let attempt = || {
        let features = registers.begin(F_VERSION_1)?;
        let _neighbours = neighbours(device, registers);
        let mut ring = Ring::set_up(registers, busy_queue(device.kind), 64, features)?;
        let scratch = Pages::new(SCRATCH)?;
        registers.go();
        let start = scratch.address();
        let added = match device.kind {
            Kind::BLOCK => {
                ring.add(&[Piece::Read(start, 16), Piece::Write(start + 4096, 512), Piece::Write(start + 8192, 1)])
            }
            Kind::ENTROPY => ring.add(&[Piece::Write(start, 64)]),
            Kind::PMEM => ring.add(&[Piece::Read(start, 4), Piece::Write(start + 64, 4)]),
            // A header without offloads and the shortest frame, to nobody; a line to a console.
            _ => ring.add(&[Piece::Read(start, 12 + 60)]),
        };
        added?;
        ring.kick_if_wanted();
        Patience::of_seconds(2).wait(|| ring.take())
    };
    let answered = attempt().is_some();
    registers.reset() && answered
}
