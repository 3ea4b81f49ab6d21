//! `kicks[=N]`: N kicks of the entropy device's queue with nothing new in it: the price of a kick alone.

use super::{Failure, Outcome};
use crate::device::Kind;
use crate::gate::cycles;
use crate::machine::Machine;
use crate::ring::{F_VERSION_1, Ring};
use crate::say;

pub(super) fn run(machine: &Machine, count: Option<u64>) -> Outcome {
    let registers = machine.registers(Kind::ENTROPY)?;
    let features = registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    let mut ring = Ring::set_up(&registers, 0, 8, features).ok_or(Failure("no-queue"))?;
    registers.go();
    let count = count.unwrap_or(1_000).max(1);
    let before = cycles();
    for _ in 0..count {
        ring.kick();
    }
    let spent = cycles().wrapping_sub(before);
    say!("kicks count={} cycles={spent} each={} status={:#x}", ring.kicks, spent / count, registers.status());
    registers.reset();
    Ok(())
}
