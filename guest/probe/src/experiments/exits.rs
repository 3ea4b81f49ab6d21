//! `exits[=N]`: N writes to port 0x80 (or `probe.port=`), which nobody answers: the price of an exit up to the monitor.

use super::Outcome;
use crate::gate::{cycles, out8};
use crate::machine::Machine;
use crate::say;

const PORT: u64 = 0x80;

pub(super) fn run(machine: &Machine, count: Option<u64>) -> Outcome {
    let count = count.unwrap_or(1_000).max(1);
    let port = machine.command_line.number("port", PORT) as u16;
    let before = cycles();
    for _ in 0..count {
        out8(port, 0);
    }
    let spent = cycles().wrapping_sub(before);
    say!("exits count={count} port={port:#x} cycles={spent} each={}", spent / count);
    Ok(())
}
