//! `interrupt[=N]`: N interrupts that the processor sends itself, then N of the local APIC's timer, each waited for:
//! that the way through IDT and TSS and back works, that a halted processor wakes, and what both cost without a device.

use super::{Failure, Outcome};
use crate::gate::{cycles, interrupt_count, wait_interrupt};
use crate::machine::Machine;
use crate::{lapic, say};

const SELF_VECTOR: u8 = 0x3c;
const TIMER_VECTOR: u8 = 0x3d;
/// 100 microseconds of KVM's 1 GHz APIC clock, enough to be halted when it comes.
const TICKS: u32 = 100_000;

/// Raises and waits `count` times; interrupts that came, and cycles for each.
fn rounds(count: u64, vector: u8, raise: impl Fn()) -> (u64, u64) {
    let start = interrupt_count(vector);
    let before = cycles();
    for sent in 0..count {
        raise();
        wait_interrupt(vector, start + sent);
    }
    (interrupt_count(vector) - start, cycles().wrapping_sub(before) / count)
}

pub(super) fn run(machine: &Machine, count: Option<u64>) -> Outcome {
    if !machine.interrupts {
        return Err(Failure("no-local-apic"));
    }
    let count = count.unwrap_or(100).max(1);
    let (received, each) = rounds(count, SELF_VECTOR, || lapic::send_self(SELF_VECTOR));
    let (timers, timer_each) = rounds(count, TIMER_VECTOR, || lapic::raise_in(TICKS, TIMER_VECTOR));
    say!("interrupt count={count} received={received} each={each} timers={timers} timer_each={timer_each}");
    Ok(())
}
