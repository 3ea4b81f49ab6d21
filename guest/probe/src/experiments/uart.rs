//! `uart=N`: N bytes through the UART one by one, in lines of 64. `probe.lsr=off` leaves the line status alone, which
//! makes one exit a byte of two.

use super::Outcome;
use crate::gate::cycles;
use crate::machine::Machine;
use crate::{say, uart};

const LINE: u64 = 64;

pub(super) fn run(machine: &Machine, count: Option<u64>) -> Outcome {
    let count = count.unwrap_or(65_536);
    let polling = machine.command_line.option("lsr") != Some("off");
    let before = cycles();
    for at in 1..=count {
        uart::send(if at % LINE == 0 || at == count { b'\n' } else { b'.' }, polling);
    }
    let spent = cycles().wrapping_sub(before);
    say!("uart bytes={count} polling={} cycles={spent}", u8::from(polling));
    Ok(())
}
