//! `hello`: says what kind of machine this is.

use super::Outcome;
use crate::machine::Machine;
use crate::memory;
use crate::say;

pub(super) fn run(machine: &Machine) -> Outcome {
    say!("hello free_bytes={} interrupts={}", memory::untouched(), u8::from(machine.interrupts));
    Ok(())
}
