//! How a VM and its vCPUs become a PC without firmware: interrupt controllers, CPUID, MSRs, the registers at entry.
//!
//! The irqchip is split (api.rst § 7.5): local APICs in the kernel, the IOAPIC in the monitor, no PIC, no PIT.

use kvm_bindings::{KVM_CAP_PMU_CAPABILITY, KVM_CAP_SPLIT_IRQCHIP, KVM_PMU_CAP_DISABLE, kvm_enable_cap};
use kvm_ioctls::{VcpuFd, VmFd};

use super::{CpuModel, msr, registers};
use crate::arch::boot::Entry;
use crate::kvm::error::KvmError;
use crate::spans::Spans;

/// Three pages for the TSS that old Intel processors (no "unrestricted guest") need to run real mode, in which
/// vCPUs wake up from SIPI, as virtual-8086 mode. Just below 4 GiB, above KVM's own identity page (0xfffbc000).
/// Elsewhere KVM ignores it.
const TSS_ADDRESS: usize = 0xfffb_d000;

/// Sets up a VM that has no vCPU yet, with an IOAPIC of so many pins.
pub(crate) fn set_up_vm(fd: &VmFd, pins: u32, spans: &Spans) -> Result<(), KvmError> {
    let mut split = kvm_enable_cap { cap: KVM_CAP_SPLIT_IRQCHIP, ..Default::default() };
    split.args[0] = pins.into();
    let done = spans.timed("KVM_CAP_SPLIT_IRQCHIP", || fd.enable_cap(&split));
    done.map_err(KvmError::refused(format!("split the irqchip, with {pins} pins")))?;
    let done = spans.timed("KVM_SET_TSS_ADDR", || fd.set_tss_address(TSS_ADDRESS));
    done.map_err(KvmError::refused("set the address of KVM's TSS"))?;
    // An AMD processor has four counters whether CPUID says so or not, and a kernel that finds them arms
    // a watchdog with them. KVMs before 5.18 and those without a PMU refuse, and then there is no harm.
    let mut pmu = kvm_enable_cap { cap: KVM_CAP_PMU_CAPABILITY, ..Default::default() };
    pmu.args[0] = KVM_PMU_CAP_DISABLE.into();
    let _absent_anyway = spans.timed("KVM_CAP_PMU_CAPABILITY", || fd.enable_cap(&pmu));
    Ok(())
}

/// Sets up a vCPU that was just made. `index` is its APIC id.
pub(crate) fn set_up_vcpu(fd: &VcpuFd, index: u8, model: &CpuModel, spans: &Spans) -> Result<(), KvmError> {
    let of = || format!("vCPU {index}");
    let failed = |what: &str| KvmError::refused(format!("{what} of vCPU {index}"));
    let tsc_khz = spans.timed_with("KVM_GET_TSC_KHZ", of, || fd.get_tsc_khz());
    let tsc_khz = tsc_khz.map_err(failed("read the TSC frequency"))?;
    let cpuid = model.cpuid(index, tsc_khz).map_err(failed("make the CPUID"))?;
    spans.timed_with("KVM_SET_CPUID2", of, || fd.set_cpuid2(&cpuid)).map_err(failed("set the CPUID"))?;
    let msrs = spans.timed_with("KVM_SET_MSRS", of, || msr::initialise(fd, index, model.vendor()));
    msrs.map_err(failed("set the first MSRs"))
}

/// Puts the first vCPU at the kernel's entry point. The others wait for INIT and SIPI as they are.
pub(crate) fn enter_at(fd: &VcpuFd, entry: &Entry, spans: &Spans) -> Result<(), KvmError> {
    let (regs, sregs) = registers::at_entry(entry);
    spans
        .timed("KVM_SET_SREGS", || fd.set_sregs(&sregs))
        .map_err(KvmError::refused(format!("set system registers for {entry:x?}")))?;
    spans
        .timed("KVM_SET_REGS", || fd.set_regs(&regs))
        .map_err(KvmError::refused(format!("set registers for {entry:x?}")))
}
