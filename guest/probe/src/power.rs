//! The three ways to end: ACPI S5 by the sleep control register (ACPI 6.5, 4.8.3.7: SLP_TYP in bits 2 to 4, SLP_EN bit
//! 5), the reset register, and pvpanic. There is no ACPI interpreter here; the ports are the house's.

use crate::entry::QUIET_VECTOR;
use crate::gate::{interrupt_count, out8, wait_interrupt};

const SLEEP_CONTROL: u16 = 0x600;
const RESET: u16 = 0x602;
const PVPANIC: u16 = 0x505;

const SLEEP_TYPE_S5: u8 = 5 << 2;
const SLEEP_ENABLE: u8 = 1 << 5;

pub(crate) fn off() -> ! {
    out8(SLEEP_CONTROL, SLEEP_TYPE_S5 | SLEEP_ENABLE);
    stop()
}

pub(crate) fn reset() -> ! {
    out8(RESET, 1);
    stop()
}

/// Tells the monitor that the guest panicked.
pub(crate) fn panicked() -> ! {
    out8(PVPANIC, 1);
    reset()
}

/// A monitor that ignored all this is waited for at no cost: nobody raises the last vector.
fn stop() -> ! {
    loop {
        let seen = interrupt_count(QUIET_VECTOR);
        wait_interrupt(QUIET_VECTOR, seen);
    }
}
