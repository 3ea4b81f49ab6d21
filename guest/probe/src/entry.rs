//! The way in: PVH entry (Xen `docs/misc/pvh.pandoc`: 32-bit protected mode, paging off, `ebx` = start info), page
//! tables, long mode, and at once down to ring 3 by `iretq`.
//!
//! Ring 3 always, not only where ring 0 is interpreted: there it is the difference between native speed and a
//! thousandth of it, elsewhere it costs nothing that is measured here, and one way is tested everywhere. All memory is
//! mapped for user access, and the TSS carries an I/O bitmap that opens every port (a KVM that interprets ring 0 does
//! not honour IOPL in ring 3). Interrupts switch to their own stack through the TSS, so compiled code may use its red
//! zone, and they are never turned off in ring 3. What is left for ring 0 is hand-written (`entry.s`) with
//! instructions that even a poor interpreter has: counting an interrupt, its EOI, and five services. Those are asked
//! for by an exception, as neither `int` nor `syscall` gets from ring 3 to ring 0 on such a KVM.
//!
//! All tables are data that the assembler laid out, because every instruction in ring 0 may cost 300 ns.

use core::arch::global_asm;

global_asm!(include_str!("entry.s"));

/// Vectors that devices and the local APIC may use: each has a counter.
pub(crate) const FIRST_VECTOR: u8 = 0x20;
/// How many of them.
pub(crate) const VECTORS: usize = 31;
/// The last of them is raised by nobody.
pub(crate) const QUIET_VECTOR: u8 = 0x3e;
/// What the local APIC raises when an interrupt went away before it was delivered.
pub(crate) const SPURIOUS_VECTOR: u8 = 0x3f;

/// What an exception left behind, as `entry.s` writes it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Fault {
    pub(crate) vector: u64,
    pub(crate) error: u64,
    pub(crate) rip: u64,
    pub(crate) cr2: u64,
}

unsafe extern "C" {
    pub(crate) static mut page_directory_pointers: [u64; 512];
    pub(crate) static mut fault: Fault;
    pub(crate) static mut interrupts: [u64; VECTORS];
    pub(crate) static x2apic: u32;
    pub(crate) static image_end: u8;
}
