//! Model-specific registers that differ from what KVM resets them to. There are two.
//!
//! IA32_APIC_BASE: x2APIC mode is on from the start, on every vCPU. Registers are then MSRs from the kernel's
//! first access on, where xAPIC mode would mean memory accesses that KVM has to emulate, and there is no
//! switch to make. INIT leaves the mode alone (Intel SDM 3A § 11.12.5.1), so it survives the others' start.
//!
//! IA32_MISC_ENABLE: without its fast-string bit Linux does not believe in ERMS and copies by loops
//! (cpu/intel.c), and KVM resets it to 0. AMD has no such register.

use kvm_bindings::{Msrs, kvm_msr_entry};
use kvm_ioctls::VcpuFd;

use super::Vendor;

const IA32_APIC_BASE: u32 = 0x1b;
const IA32_MISC_ENABLE: u32 = 0x1a0;
const MISC_ENABLE_FAST_STRINGS: u64 = 1;
const MISC_ENABLE_BTS_UNAVAILABLE: u64 = 1 << 11;
const MISC_ENABLE_PEBS_UNAVAILABLE: u64 = 1 << 12;
const APIC_BASE_BSP: u64 = 1 << 8;
const APIC_BASE_EXTD: u64 = 1 << 10;
const APIC_BASE_EN: u64 = 1 << 11;
const APIC_BASE_ADDRESS: u64 = 0xfee0_0000;

/// IA32_APIC_BASE of a vCPU (SDM 3A § 11.12.1).
pub(super) fn apic_base(index: u8) -> u64 {
    let bsp = if index == 0 { APIC_BASE_BSP } else { 0 };
    APIC_BASE_ADDRESS | APIC_BASE_EN | APIC_BASE_EXTD | bsp
}

/// Sets them. CPUID has to be set before: KVM checks that the vCPU has an x2APIC.
pub(super) fn initialise(fd: &VcpuFd, index: u8, vendor: Vendor) -> Result<(), kvm_ioctls::Error> {
    let entry = |index, data| kvm_msr_entry { index, data, ..Default::default() };
    let mut entries = Vec::with_capacity(2);
    if index != 0 {
        entries.push(entry(IA32_APIC_BASE, apic_base(index))); // the first one's is a part of its entry state
    }
    if vendor == Vendor::Intel {
        let misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;
        entries.push(entry(IA32_MISC_ENABLE, misc_enable));
    }
    if entries.is_empty() {
        return Ok(());
    }
    let msrs = Msrs::from_entries(&entries).map_err(|_| kvm_ioctls::Error::new(libc::EINVAL))?;
    // KVM stops at the first MSR that it does not take.
    if fd.set_msrs(&msrs)? == entries.len() { Ok(()) } else { Err(kvm_ioctls::Error::new(libc::EINVAL)) }
}
