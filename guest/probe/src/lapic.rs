//! The local APIC in xAPIC mode (Intel SDM 3A, chapter 11): switched on, and able to raise an
//! interrupt at itself, at once or by its timer.
//! In-kernel in KVM, so none of this reaches the monitor. x2APIC is not used: its registers are MSRs, out of ring 3's
//! reach, and a guest that stays in xAPIC mode is what firmware-less KVM starts with.

use crate::entry::SPURIOUS_VECTOR;
use crate::gate::read_msr;

const BASE: usize = 0xfee0_0000;
const ID: usize = 0x20;
const SPURIOUS: usize = 0xf0;
const COMMAND_LOW: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;
const TIMER: usize = 0x320;
const TIMER_INITIAL: usize = 0x380;
const TIMER_DIVIDE: usize = 0x3e0;
const DIVIDE_BY_1: u32 = 0b1011;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const APIC_BASE_MSR: u32 = 0x1b;
const GLOBAL_ENABLE: u64 = 1 << 11;
const X2APIC: u64 = 1 << 10;

/// Where a device sends its messages: to the physical APIC 0, fixed delivery.
pub(crate) const MESSAGE_ADDRESS: u64 = 0xfee0_0000;

fn read(register: usize) -> u32 {
    // SAFETY: the page is mapped and is the local APIC's.
    unsafe { ((BASE + register) as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: the page is mapped and is the local APIC's.
    unsafe { ((BASE + register) as *mut u32).write_volatile(value) };
}

/// Switches it on; false where there is none (a VM without irqchip) or not in the expected mode.
pub(crate) fn start() -> bool {
    if read_msr(APIC_BASE_MSR) & (GLOBAL_ENABLE | X2APIC) != GLOBAL_ENABLE || read(SPURIOUS) == u32::MAX {
        return false;
    }
    write(SPURIOUS, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
    read(SPURIOUS) & SOFTWARE_ENABLE != 0
}

/// Raises `vector` on this very processor.
pub(crate) fn send_self(vector: u8) {
    write(COMMAND_HIGH, read(ID));
    write(COMMAND_LOW, u32::from(vector));
}

/// Raises `vector` once, `ticks` of the APIC timer from now.
pub(crate) fn raise_in(ticks: u32, vector: u8) {
    write(TIMER_DIVIDE, DIVIDE_BY_1);
    write(TIMER, u32::from(vector));
    write(TIMER_INITIAL, ticks);
}
