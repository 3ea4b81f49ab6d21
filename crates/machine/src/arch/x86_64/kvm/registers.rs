//! Registers: what the first vCPU starts with, and how a crash shows them.
//!
//! PVH: Xen's public/arch-x86/hvm/start_info.h and docs/misc/pvh.pandoc ("Initial state"). 64-bit:
//! Documentation/arch/x86/boot.rst, "64-bit boot protocol". The values of a segment are those of its
//! descriptor (Intel SDM 3A § 3.4.5).

use std::fmt;

use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs};
use kvm_ioctls::VcpuFd;

use super::msr;
use crate::arch::boot::{BOOT_CS, BOOT_DS, BOOT_TSS, Entry};
use crate::kvm::error::KvmError;

const CR0_PE: u64 = 1;
/// Always 1 in hardware.
const CR0_ET: u64 = 1 << 4;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
/// Bit 1 is always 1; interrupts are off.
const RFLAGS: u64 = 1 << 1;

fn code(selector: u16, long: bool) -> kvm_segment {
    // Type 11: execute, read, accessed. With L set, D must be clear.
    kvm_segment { type_: 11, db: (!long).into(), l: long.into(), ..data(selector) }
}

fn data(selector: u16) -> kvm_segment {
    // Type 3: read, write, accessed.
    kvm_segment { limit: u32::MAX, selector, type_: 3, present: 1, db: 1, s: 1, g: 1, ..Default::default() }
}

fn tss(selector: u16) -> kvm_segment {
    // Type 11: busy TSS, which VMX requires even where it is unused. 0x67 is the smallest limit.
    kvm_segment { limit: 0x67, selector, type_: 11, present: 1, ..Default::default() }
}

/// The state of the first vCPU at `entry`, whole: nothing has to be read back from KVM first.
pub(super) fn at_entry(entry: &Entry) -> (kvm_regs, kvm_sregs) {
    let mut regs = kvm_regs { rflags: RFLAGS, ..Default::default() };
    let mut sregs = kvm_sregs { cr0: CR0_PE | CR0_ET, apic_base: msr::apic_base(0), ..Default::default() };
    let (cs, ds, task) = match *entry {
        Entry::Pvh { entry, start_info } => {
            (regs.rip, regs.rbx) = (entry.into(), start_info.0);
            // Selectors are not specified; these are those that a guest would most likely load itself.
            (code(BOOT_CS, false), data(BOOT_DS), tss(BOOT_TSS))
        }
        Entry::Linux64 { entry, zero_page, page_tables, gdt, gdt_limit } => {
            (regs.rip, regs.rsi) = (entry, zero_page.0);
            sregs.cr0 |= CR0_PG;
            sregs.cr3 = page_tables.0;
            sregs.cr4 = CR4_PAE;
            sregs.efer = EFER_LME | EFER_LMA;
            sregs.gdt = kvm_dtable { base: gdt.0, limit: gdt_limit, ..Default::default() };
            (code(BOOT_CS, true), data(BOOT_DS), tss(BOOT_TSS))
        }
    };
    (sregs.cs, sregs.tr) = (cs, task);
    for segment in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs, &mut sregs.ss] {
        *segment = ds;
    }
    sregs.ldt = kvm_segment { type_: 2, unusable: 1, ..Default::default() };
    (regs, sregs)
}

/// A vCPU's registers for a person to read.
#[derive(Debug, Clone, Copy)]
pub struct Registers {
    pub(crate) regs: kvm_regs,
    sregs: kvm_sregs,
}

impl Registers {
    /// Those of a vCPU that is not running.
    pub(crate) fn read(fd: &VcpuFd) -> Result<Self, KvmError> {
        let regs = fd.get_regs().map_err(KvmError::refused("read the registers of a vCPU"))?;
        let sregs = fd.get_sregs().map_err(KvmError::refused("read the system registers of a vCPU"))?;
        Ok(Self { regs, sregs })
    }

    /// Where it was.
    pub fn rip(&self) -> u64 {
        self.regs.rip
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (r, s) = (&self.regs, &self.sregs);
        writeln!(f, "rip {:016x}  rsp {:016x}  rbp {:016x}  flags {:08x}", r.rip, r.rsp, r.rbp, r.rflags)?;
        writeln!(f, "rax {:016x}  rbx {:016x}  rcx {:016x}  rdx {:016x}", r.rax, r.rbx, r.rcx, r.rdx)?;
        writeln!(f, "rsi {:016x}  rdi {:016x}  r8  {:016x}  r9  {:016x}", r.rsi, r.rdi, r.r8, r.r9)?;
        writeln!(f, "r10 {:016x}  r11 {:016x}  r12 {:016x}  r13 {:016x}", r.r10, r.r11, r.r12, r.r13)?;
        writeln!(f, "r14 {:016x}  r15 {:016x}  apic base {:x}", r.r14, r.r15, s.apic_base)?;
        writeln!(f, "cr0 {:x}  cr2 {:x}  cr3 {:x}  cr4 {:x}  efer {:x}", s.cr0, s.cr2, s.cr3, s.cr4, s.efer)?;
        let segments = [("cs", s.cs), ("ds", s.ds), ("es", s.es), ("fs", s.fs), ("gs", s.gs), ("ss", s.ss)];
        for (name, s) in segments.into_iter().chain([("tr", s.tr), ("ldt", s.ldt)]) {
            let mode = if s.unusable != 0 { " unusable" } else { ["", " long"][usize::from(s.l & 1)] };
            let (at, limit) = (s.base, s.limit);
            writeln!(f, "{name:3} {:04x}  base {at:x}  limit {limit:x}  type {:x}{mode}", s.selector, s.type_)?;
        }
        writeln!(f, "gdt base {:x} limit {:x}", s.gdt.base, s.gdt.limit)?;
        write!(f, "idt base {:x} limit {:x}", s.idt.base, s.idt.limit)
    }
}
