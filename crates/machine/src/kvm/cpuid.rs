//! What the guest is told about its processor (CPUID: Intel SDM 2A, AMD APM 3 appendix E).
//!
//! The start is what this KVM supports on this processor; then the machine's own shape goes in (one
//! package, cores without hyperthreads, one APIC id a vCPU), and what nobody needs comes out. Leaving out
//! is worth something: each CPUID instruction and most MSR accesses of the guest are exits, and Linux
//! asks for everything that a leaf promises. The kernel's files that decide are named with each choice
//! (arch/x86 of Linux 6.12). Security features stay as the host has them.

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2 as Leaf};

use super::{Kvm, KvmError};

/// Whose processor the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// GenuineIntel
    Intel,
    /// AuthenticAMD, HygonGenuine and whoever follows AMD's manual
    Amd,
}

/// A register of a leaf.
#[derive(Debug, Clone, Copy)]
enum Register {
    Ebx,
    Ecx,
    Edx,
}
use Register::{Ebx, Ecx, Edx};

/// Features that are not offered: leaf, sub-leaf, register, bits, and why.
const NOT_OFFERED: &[(u32, u32, Register, u32, &str)] = &[
    // Machine-check banks: a guest cannot repair the host's memory. cpu/mce/core.c reads and writes four
    // MSRs a bank if they are there, and polls them every five minutes.
    (1, 0, Edx, 1 << 7 | 1 << 14, "MCE, MCA"),
    // Memory types: KVM's memory is write-back whatever the guest sets. With either of them cpu/cacheinfo.c
    // switches the cache off and on (CR0, WBINVD) around writing them, on each vCPU; without, the kernel
    // uses the types that PAT has after a reset.
    (1, 0, Edx, 1 << 12 | 1 << 16, "MTRR, PAT"),
    // Serial number, debug store, thermal monitors: not virtual.
    (1, 0, Edx, 1 << 18 | 1 << 21 | 1 << 22 | 1 << 29 | 1 << 31, "PSN, DS, ACPI, TM, PBE"),
    // Nested virtualisation: cpu/feat_ctl.c reads its MSRs, and KVM's own attack surface grows.
    (1, 0, Ecx, 1 << 5 | 1 << 6, "VMX, SMX"),
    // Power and performance monitoring that a guest does not control.
    (1, 0, Ecx, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 14 | 1 << 15 | 1 << 18, "DTES64 … DCA"),
    (7, 0, Ebx, 1 << 2 | 1 << 12 | 1 << 15 | 1 << 25, "SGX, PQM, PQE, processor trace"),
    // cpu/umwait.c writes an MSR on each vCPU.
    (7, 0, Ecx, 1 << 5 | 1 << 30, "WAITPKG, SGX launch control"),
    // Nested virtualisation, OSVW, instruction-based sampling, SKINIT, watchdog.
    (0x8000_0001, 0, Ecx, 1 << 2 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13, "SVM … WDT"),
    // An MSR with the node (there is one), and the extended topology leaves: cacheinfo.c and topology_amd.c
    // walk 0x8000001d twice if they may; leaf 0x80000008 says all there is without hyperthreads.
    (0x8000_0001, 0, Ecx, 1 << 19 | 1 << 22, "NODEID_MSR, TOPOEXT"),
    // Performance counters (switched off for the machine), MWAITX.
    (0x8000_0001, 0, Ecx, 1 << 23 | 1 << 24 | 1 << 27 | 1 << 28 | 1 << 29, "PERFCTR_*, PTSC, MWAITX"),
    (0x8000_0008, 0, Ebx, 1 << 23 | 1 << 27, "PPIN, CPPC"),
];

/// TSC_ADJUST. With it, Linux need not compare the TSCs of two vCPUs for milliseconds when the second one
/// starts (tsc_sync.c). Without it, an idle vCPU does not look at the MSR every second. So: if there are two.
const TSC_ADJUST: u32 = 1 << 1;

/// KVM's own features (asm/kvm_para.h) that are offered, if this KVM has them.
const PARAVIRTUAL: u32 = 1 << 0 | 1 << 3 | 1 << 24 // kvm-clock: no calibration
    | 1 << 1                                       // no writes to port 0x80 as a delay
    | 1 << 5                                       // steal time; tells preempted vCPUs, which 7, 9 and 13 need
    | 1 << 6                                       // EOI in memory: no exit for most interrupts
    | 1 << 7                                       // a vCPU that waits for a lock halts
    | 1 << 9 | 1 << 11 | 1 << 13                   // TLB flush, IPI, yield: one exit for many vCPUs, or none
    | 1 << 12; // the guest may poll before it halts
// Not offered: asynchronous page faults (4, 10, 14). They let a guest run something else while the host
// reads a page from disk, at the price of two MSR writes a vCPU and three exits a fault.

/// Highest basic leaf: 0xd, the extended state. The leaves above are monitoring (0xf, 0x10), SGX (0x12),
/// tracing (0x14), AMX, and frequencies (0x15, 0x16), which kvm-clock makes needless; and cpu/scattered.c
/// asks twice for each of its features whose leaf is not above the highest.
const HIGHEST_BASIC: u32 = 0xd;
/// Highest extended leaf: sizes of addresses.
const HIGHEST_EXTENDED: u32 = 0x8000_0008;
/// AMD's second feature leaf: worth having where it says that LFENCE serialises, that there is automatic
/// IBRS, or that there is no need for a mitigation.
const EXTENDED_FEATURES_2: u32 = 0x8000_0021;

/// Where KVM says who it is.
const KVM_SIGNATURE: u32 = 0x4000_0000;
const KVM_FEATURES: u32 = 0x4000_0001;
/// Frequencies in kHz, as hypervisors agreed to give them: eax TSC, ebx APIC bus.
const KVM_TIMING: u32 = 0x4000_0010;
/// One nanosecond: KVM's APIC_BUS_CYCLE_NS.
const APIC_BUS_KHZ: u32 = 1_000_000;

/// The processor of a machine: the CPUID of its vCPUs, but for what differs among them.
#[derive(Debug, Clone)]
pub struct CpuModel {
    leaves: Vec<Leaf>,
    vendor: Vendor,
}

impl CpuModel {
    /// The host's processor as a guest of `cpus` vCPUs should see it.
    pub fn new(kvm: &Kvm, cpus: u8) -> Result<Self, KvmError> {
        let supported = kvm.fd.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
        let supported = supported.map_err(KvmError::refused("ask KVM which CPUID it supports"))?;
        Ok(Self::shape(supported.as_slice(), cpus))
    }

    /// Whose processor it is.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    fn shape(supported: &[Leaf], cpus: u8) -> Self {
        let intel = supported.iter().any(|leaf| leaf.function == 0 && leaf.ecx == u32::from_le_bytes(*b"ntel"));
        let vendor = if intel { Vendor::Intel } else { Vendor::Amd };
        let second = supported.iter().any(|leaf| leaf.function == EXTENDED_FEATURES_2 && leaf.eax != 0);
        let highest_extended = if second { EXTENDED_FEATURES_2 } else { HIGHEST_EXTENDED };
        let mut leaves: Vec<Leaf> = supported
            .iter()
            .filter(|leaf| match leaf.function {
                // Cache sizes for Intel only; monitor/mwait, performance counters and, below, topology are ours.
                0 | 1 | 6 | 7 | HIGHEST_BASIC => true,
                2 | 4 => intel,
                KVM_SIGNATURE | KVM_FEATURES => true,
                0x8000_0000..=HIGHEST_EXTENDED | 0x8000_001f | EXTENDED_FEATURES_2 => leaf.function <= highest_extended,
                _ => false,
            })
            .copied()
            .collect();
        for leaf in &mut leaves {
            shape(leaf, vendor, cpus, highest_extended);
        }
        leaves.extend(topology(cpus));
        leaves.push(Leaf { function: KVM_TIMING, ebx: APIC_BUS_KHZ, ..Default::default() });
        Self { leaves, vendor }
    }

    /// The CPUID of vCPU `index`, whose TSC runs at `tsc_khz`.
    pub(super) fn cpuid(&self, index: u8, tsc_khz: u32) -> Result<CpuId, kvm_ioctls::Error> {
        let mut cpuid = CpuId::from_entries(&self.leaves).map_err(|_| kvm_ioctls::Error::new(libc::E2BIG))?;
        for leaf in cpuid.as_mut_slice() {
            match leaf.function {
                1 => leaf.ebx = leaf.ebx & 0x00ff_ffff | u32::from(index) << 24,
                0xb => leaf.edx = index.into(),
                KVM_TIMING => leaf.eax = tsc_khz,
                _ => {}
            }
        }
        Ok(cpuid)
    }
}

/// Bits of an APIC id that tell `cpus` cores apart.
fn core_bits(cpus: u8) -> u32 {
    u8::BITS - cpus.saturating_sub(1).leading_zeros()
}

fn shape(leaf: &mut Leaf, vendor: Vendor, cpus: u8, highest_extended: u32) {
    for &(function, index, register, bits, _) in NOT_OFFERED {
        if (function, index) == (leaf.function, leaf.index) {
            match register {
                Ebx => leaf.ebx &= !bits,
                Ecx => leaf.ecx &= !bits,
                Edx => leaf.edx &= !bits,
            }
        }
    }
    let several = u32::from(cpus > 1);
    match (leaf.function, leaf.index) {
        (0, _) => leaf.eax = leaf.eax.min(HIGHEST_BASIC),
        (1, _) => {
            leaf.ecx |= 1 << 21 | 1 << 24 | 1 << 31; // x2APIC, TSC deadline timer, hypervisor
            // CLFLUSH stays; the number of APIC ids; "there may be more than one" (HTT).
            leaf.ebx = leaf.ebx & 0xff00 | (1 << core_bits(cpus)) << 16;
            leaf.edx = leaf.edx & !(1 << 28) | several << 28;
        }
        // Caches: the last level is everybody's, the others are each core's own (bits 25..14, less one).
        (4, _) if leaf.eax & 0x1f != 0 => {
            let shared_by = if leaf.eax >> 5 & 7 >= 3 { (1 << core_bits(cpus)) - 1 } else { 0 };
            leaf.eax = leaf.eax & 0x3fff | shared_by << 14 | ((1 << core_bits(cpus)) - 1) << 26;
        }
        // The APIC timer runs in deep sleep, without which there would be no high-resolution timers.
        (6, _) => (leaf.eax, leaf.ebx, leaf.ecx, leaf.edx) = (1 << 2, 0, 0, 0),
        (7, 0) if cpus == 1 => leaf.ebx &= !TSC_ADJUST,
        (KVM_SIGNATURE, _) => leaf.eax = KVM_TIMING,
        (KVM_FEATURES, _) => leaf.eax &= PARAVIRTUAL,
        (0x8000_0000, _) => leaf.eax = leaf.eax.min(highest_extended),
        // Cores as separate processors (CmpLegacy).
        (0x8000_0001, _) if vendor == Vendor::Amd => leaf.ecx = leaf.ecx & !(1 << 1) | several << 1,
        // Cores less one, and the bits of an APIC id that count them.
        (0x8000_0008, _) if vendor == Vendor::Amd => {
            leaf.ecx = core_bits(cpus) << 12 | u32::from(cpus.saturating_sub(1));
        }
        _ => {}
    }
}

/// Leaf 0xb (SDM 2A "Extended Topology Enumeration"): one thread a core, `cpus` cores.
fn topology(cpus: u8) -> [Leaf; 3] {
    let level = |index: u32, shift: u32, count: u32, kind: u32| Leaf {
        function: 0xb,
        index,
        flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        eax: shift,
        ebx: count,
        ecx: kind << 8 | index,
        ..Default::default()
    };
    [level(0, 0, 1, 1), level(1, core_bits(cpus), cpus.into(), 2), level(2, 0, 0, 0)]
}

#[cfg(test)]
#[path = "cpuid_test.rs"]
mod tests;
