//! The local APIC (Intel SDM 3A, chapter 11): switched on, and able to raise an interrupt at itself, at once or by its
//! timer. In the mode in which the monitor left it: xAPIC with registers in memory, or x2APIC with registers that are
//! MSRs, which ring 0 has to write. In-kernel in KVM, so none of this reaches the monitor.

use crate::entry::{SPURIOUS_VECTOR, x2apic};
use crate::gate::{read_msr, write_msr};
use crate::region::Region;

const REGISTERS: Region = Region(0xfee0_0000);
const FIRST_MSR: u32 = 0x800;
const SPURIOUS: usize = 0xf0;
const COMMAND: usize = 0x300;
const TIMER: usize = 0x320;
const TIMER_INITIAL: usize = 0x380;
const TIMER_DIVIDE: usize = 0x3e0;
const DIVIDE_BY_1: u32 = 0b1011;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const TO_SELF: u32 = 0b01 << 18;
const APIC_BASE_MSR: u32 = 0x1b;
const GLOBAL_ENABLE: u64 = 1 << 11;

/// Where a device sends its messages: to the physical APIC 0, fixed delivery.
pub(crate) const MESSAGE_ADDRESS: u64 = 0xfee0_0000;

fn in_x2apic_mode() -> bool {
    let flag = &raw const x2apic;
    // SAFETY: `entry.s` wrote it once, before any Rust code ran.
    unsafe { flag.read() != 0 }
}

/// The MSR of a register, which lies sixteen bytes from the next in memory.
fn msr(register: usize) -> u32 {
    FIRST_MSR + (register >> 4) as u32
}

fn read(register: usize) -> u32 {
    if in_x2apic_mode() { read_msr(msr(register)) as u32 } else { REGISTERS.read(register) }
}

fn write(register: usize, value: u32) {
    if in_x2apic_mode() {
        write_msr(msr(register), u64::from(value));
    } else {
        REGISTERS.write(register, value);
    }
}

/// Switches it on; false where there is none: a VM without an irqchip.
pub(crate) fn start() -> bool {
    if read_msr(APIC_BASE_MSR) & GLOBAL_ENABLE == 0 || read(SPURIOUS) == u32::MAX {
        return false;
    }
    write(SPURIOUS, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
    read(SPURIOUS) & SOFTWARE_ENABLE != 0
}

/// Raises `vector` on this very processor.
pub(crate) fn send_self(vector: u8) {
    write(COMMAND, TO_SELF | u32::from(vector));
}

/// Raises `vector` once, `ticks` of the APIC timer from now.
pub(crate) fn raise_in(ticks: u32, vector: u8) {
    write(TIMER_DIVIDE, DIVIDE_BY_1);
    write(TIMER, u32::from(vector));
    write(TIMER_INITIAL, ticks);
}
