//! What the first vCPU has to look like when it enters the guest, as plain data.
//!
//! Two protocols: PVH (Xen's public/arch-x86/hvm/start_info.h: 32-bit protected mode, flat segments,
//! no paging, `ebx` the start info) and the 64-bit boot protocol of Linux (Documentation/arch/x86/boot.rst,
//! "64-bit boot protocol": long mode, identity page tables, `rsi` the zero page). Turning this into
//! register values is the work of `kvm`; the other vCPUs wait for INIT and SIPI and need nothing.

use illico_memory::GuestAddress;

/// `__BOOT_CS`: the selector of the code segment in the GDT of [`Entry::Linux64`].
pub const BOOT_CS: u16 = 0x10;
/// `__BOOT_DS`: the selector of its data segment.
pub const BOOT_DS: u16 = 0x18;
/// The selector of its task state segment, of which only the descriptor exists.
pub const BOOT_TSS: u16 = 0x20;

/// Where and how the first vCPU enters the guest. Whatever lies at the addresses is in RAM already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// 32-bit protected mode without paging, `ebx` = `start_info`.
    Pvh {
        /// `eip`.
        entry: u32,
        /// The `hvm_start_info`.
        start_info: GuestAddress,
    },
    /// 64-bit mode with paging and interrupts off, `rsi` = `zero_page`, `cs` = [`BOOT_CS`], the data
    /// segments = [`BOOT_DS`].
    Linux64 {
        /// `rip`.
        entry: u64,
        /// The `boot_params`.
        zero_page: GuestAddress,
        /// `cr3`: a PML4 that maps the low addresses to themselves.
        page_tables: GuestAddress,
        /// The base of the GDT.
        gdt: GuestAddress,
        /// The limit of the GDT: its length in bytes less one.
        gdt_limit: u16,
    },
}
