//! Single instructions that the compiler has no name for, and the services that ring 0 renders to ring 3
//! (`entry.s`): halt, a loop to be timed, model-specific registers, and dropping the interrupt table.

use core::arch::asm;

use crate::entry::{FIRST_VECTOR, VECTORS, interrupts};

/// In r11, tells a `ud2` that asks for a service from one that is a trap of the compiler's.
const SERVICE: u64 = 0x111c0;

pub(crate) fn cycles() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: rdtsc reads a counter; CR4.TSD is clear, so ring 3 may.
    unsafe { asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
    u64::from(high) << 32 | u64::from(low)
}

pub(crate) fn out8(port: u16, value: u8) {
    // SAFETY: the I/O bitmap allows every port; a port write changes no memory of ours.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack, preserves_flags)) };
}

pub(crate) fn in8(port: u16) -> u8 {
    let value;
    // SAFETY: as in `out8`.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nostack, preserves_flags)) };
    value
}

/// How often `vector` has been raised.
pub(crate) fn interrupt_count(vector: u8) -> u64 {
    let index = usize::from(vector.wrapping_sub(FIRST_VECTOR));
    if index >= VECTORS {
        return 0;
    }
    let counter = (&raw const interrupts).cast::<u64>().wrapping_add(index);
    // SAFETY: the index was checked; handlers change the counter behind the compiler's back, hence volatile.
    unsafe { counter.read_volatile() }
}

/// Halts until `vector` has been raised more than `seen` times; other interrupts only cost a round.
pub(crate) fn wait_interrupt(vector: u8, seen: u64) -> u64 {
    let counters = (&raw const interrupts).cast::<u64>();
    let counter = counters.wrapping_add(usize::from(vector.wrapping_sub(FIRST_VECTOR)).min(VECTORS - 1));
    // SAFETY: service 0 only reads the counter, which lies in the table, and returns with every register kept.
    unsafe { asm!("ud2", in("r11") SERVICE, in("rax") 0_u64, in("rcx") counter, in("rdx") seen) };
    interrupt_count(vector)
}

/// `iterations` times `dec; jnz` in ring 0.
pub(crate) fn ring0_loop(iterations: u64) {
    // SAFETY: service 1 changes only rcx and flags.
    unsafe { asm!("ud2", in("r11") SERVICE, in("rax") 1_u64, inout("rcx") iterations => _) };
}

/// The same two instructions here, in ring 3.
pub(crate) fn ring3_loop(iterations: u64) {
    // SAFETY: changes only rcx and flags.
    unsafe { asm!("2: dec rcx", "jnz 2b", inout("rcx") iterations => _, options(nomem, nostack)) };
}

pub(crate) fn read_msr(register: u32) -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: service 2 is rdmsr; an unknown register faults, which is reported.
    unsafe {
        asm!("ud2", in("r11") SERVICE, inout("rax") 2_u64 => low, in("rcx") u64::from(register), out("rdx") high);
    };
    high << 32 | low & 0xffff_ffff
}

pub(crate) fn write_msr(register: u32, value: u64) {
    // SAFETY: service 3 is wrmsr, used for the local APIC only, which changes no memory of ours.
    unsafe {
        asm!("ud2", in("r11") SERVICE, inout("rax") 3_u64 => _, in("rcx") u64::from(register), inout("rdx") value => _);
    }
}

/// Triple fault: the service takes the interrupt table away, the next exception has nowhere to go.
pub(crate) fn crash() -> ! {
    // SAFETY: nothing after it is meant to work.
    unsafe { asm!("ud2", "ud2", "2: jmp 2b", in("r11") SERVICE, in("rax") 4_u64, options(noreturn)) };
}
