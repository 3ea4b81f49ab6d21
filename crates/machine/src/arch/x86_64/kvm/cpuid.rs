//! What the guest is told about its processor (CPUID: Intel SDM 2A, AMD APM 3 appendix E).
//!
//! The start is what this KVM supports on this processor; then the machine's own shape goes in (one
//! package, cores without hyperthreads, one APIC id a vCPU), and what a guest does not need comes out. Leaving out
//! a feature saves exits: each CPUID instruction and most MSR accesses of the guest are exits, and Linux
//! asks for everything that a leaf promises. The kernel's files that decide are named with each choice
//! (arch/x86 of Linux 6.12). Security features stay as the host has them.

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2 as Leaf};

use crate::kvm::error::KvmError;
use crate::spans::Spans;

/// Whose processor the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// GenuineIntel
    Intel,
    /// AuthenticAMD, HygonGenuine and others that follow AMD's manual
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

/// Features that are not offered, and why.
const NOT_OFFERED: &[Missing] = &[
    // Machine-check banks: a guest cannot repair the host's memory. cpu/mce/core.c reads and writes four
    // MSRs a bank if they are there, and polls them every five minutes.
    missing(1, Edx, &[7, 14], "MCE, MCA"),
    // Memory types: KVM's memory is write-back whatever the guest sets. With either of them cpu/cacheinfo.c
    // switches the cache off and on (CR0, WBINVD) around writing them, on each vCPU; without, the kernel
    // uses the types that PAT has after a reset.
    missing(1, Edx, &[12, 16], "MTRR, PAT"),
    // Serial number, debug store, thermal monitors: not virtual.
    missing(1, Edx, &[18, 21, 22, 29, 31], "PSN, DS, ACPI, TM, PBE"),
    // Nested virtualisation: cpu/feat_ctl.c reads its MSRs, and KVM's own attack surface grows.
    missing(1, Ecx, &[5, 6], "VMX, SMX"),
    missing(0x8000_0001, Ecx, &[2, 12], "SVM, SKINIT"),
    // Power and performance monitoring, which are the host's.
    missing(1, Ecx, &[2, 3, 4, 7, 8, 14, 15, 18], "DTES64, MONITOR, DS-CPL, EIST, TM2, xTPR, PDCM, DCA"),
    missing(7, Ebx, &[12, 15, 25], "PQM, PQE, processor trace"),
    missing(
        0x8000_0001,
        Ecx,
        &[10, 13, 23, 24, 27, 28, 29],
        "IBS, WDT, PERFCTR_CORE, PERFCTR_NB, PTSC, PERFCTR_LLC, MWAITX",
    ),
    missing(0x8000_0008, Ebx, &[23, 27], "PPIN, CPPC"),
    // An MSR that an idle vCPU looks at every second (tsc_sync.c), for firmware that writes to the TSC.
    missing(7, Ebx, &[1], "TSC_ADJUST"),
    // cpu/umwait.c writes an MSR on each vCPU.
    missing(7, Ecx, &[5], "WAITPKG"),
    missing(7, Ebx, &[2], "SGX"),
    missing(7, Ecx, &[30], "SGX_LC"),
    // KVM has this MSR for everybody, but it says which of Intel's bugs there are not; common.c reads it five times.
    Missing { vendor: Some(Vendor::Amd), ..missing(7, Edx, &[29], "ARCH_CAPABILITIES") },
    // MSRs with errata and with the node (there is one).
    missing(0x8000_0001, Ecx, &[9, 19], "OSVW, NODEID_MSR"),
    // Extended topology: cacheinfo.c and topology_amd.c walk leaf 0x8000001d twice if they may; without
    // hyperthreads leaf 0x80000008 says all there is.
    missing(0x8000_0001, Ecx, &[22], "TOPOEXT"),
];

/// Bits of a leaf's register that are cleared.
#[derive(Debug, Clone, Copy)]
struct Missing {
    leaf: u32,
    register: Register,
    bits: u32,
    /// Whose guests lack it, if not everybody's.
    vendor: Option<Vendor>,
    #[cfg_attr(not(test), expect(dead_code, reason = "a name beside the number, for readers and for tests"))]
    what: &'static str,
}

const fn missing(leaf: u32, register: Register, bits: &[u32], what: &'static str) -> Missing {
    let mut mask = 0;
    let mut n = 0;
    while n < bits.len() {
        mask |= 1 << bits[n];
        n += 1;
    }
    Missing { leaf, register, bits: mask, vendor: None, what }
}

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
/// AMD's second feature leaf. It is worth its exits where it promises more than what Linux finds out by itself
/// (amd.c): automatic IBRS, or that a mitigation is not needed.
const EXTENDED_FEATURES_2: u32 = 0x8000_0021;
/// What is not worth them: NO_NESTED_DATA_BP and NO_SMM_CTL_MSR are unused by Linux; that LFENCE serialises, and
/// that a null selector clears its base, amd.c finds out or assumes the contrary at no cost.
const NOTHING_NEW: u32 = 1 << 0 | 1 << 2 | 1 << 6 | 1 << 9;

/// KVM's signature.
const KVM_SIGNATURE: u32 = 0x4000_0000;
const KVM_FEATURES: u32 = 0x4000_0001;
/// Frequencies in kHz, as hypervisors agreed to give them: eax TSC, ebx APIC bus.
const KVM_TIMING: u32 = 0x4000_0010;
/// One nanosecond: KVM's APIC_BUS_CYCLE_NS.
const APIC_BUS_KHZ: u32 = 1_000_000;

/// What KVM supports of the host's CPUID.
///
/// To be asked early, on a thread that has nothing else to do: KVM executes CPUID for each leaf, which takes
/// half a millisecond where the host is a guest itself.
#[derive(Debug)]
pub struct Supported(CpuId);

impl Supported {
    /// Asks.
    pub(crate) fn ask(kvm: &kvm_ioctls::Kvm, spans: &Spans) -> Result<Self, KvmError> {
        let ask = || kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
        let supported = spans.timed("KVM_GET_SUPPORTED_CPUID", ask);
        supported.map(Self).map_err(KvmError::refused("ask KVM which CPUID it supports"))
    }
}

/// The processor of a machine: the CPUID of its vCPUs, but for what differs among them.
#[derive(Debug, Clone)]
pub struct CpuModel {
    leaves: Vec<Leaf>,
    vendor: Vendor,
}

impl CpuModel {
    /// The host's processor as a guest of `cpus` vCPUs should see it.
    pub fn new(supported: &Supported, cpus: u8) -> Self {
        Self::shape(supported.0.as_slice(), cpus)
    }

    /// Whose processor it is.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    fn shape(supported: &[Leaf], cpus: u8) -> Self {
        let intel = supported.iter().any(|leaf| leaf.function == 0 && leaf.ecx == u32::from_le_bytes(*b"ntel"));
        let vendor = if intel { Vendor::Intel } else { Vendor::Amd };
        let says_more = |leaf: &Leaf| leaf.eax & !NOTHING_NEW != 0 || leaf.ecx != 0;
        let second = supported.iter().any(|leaf| leaf.function == EXTENDED_FEATURES_2 && says_more(leaf));
        let highest_extended = if second { EXTENDED_FEATURES_2 } else { HIGHEST_EXTENDED };
        let mut leaves: Vec<Leaf> = supported
            .iter()
            .filter(|leaf| match leaf.function {
                // Cache sizes for Intel only; monitor/mwait, performance counters and, below, topology are ours.
                0 | 1 | 6 | 7 | HIGHEST_BASIC => true,
                2 | 4 => intel,
                KVM_SIGNATURE | KVM_FEATURES => true,
                0x8000_0000..=HIGHEST_EXTENDED | EXTENDED_FEATURES_2 => leaf.function <= highest_extended,
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
    for missing in NOT_OFFERED.iter().filter(|missing| missing.vendor.is_none_or(|only| only == vendor)) {
        if (missing.leaf, 0) == (leaf.function, leaf.index) {
            match missing.register {
                Ebx => leaf.ebx &= !missing.bits,
                Ecx => leaf.ecx &= !missing.bits,
                Edx => leaf.edx &= !missing.bits,
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
