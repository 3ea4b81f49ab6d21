//! Where the exits of a machine went, as data: what `--exits-json` writes and `--exits` prints.
//!
//! Three sources are merged and told apart. The monitor counts what it handled. KVM counts all
//! exits of a vCPU and some reasons (`KVM_GET_STATS_FD`). An eventfd counts the kicks that KVM swallowed.
//! What they do not explain (CPUID, MSR, control registers, which KVM does not tell apart) is one line,
//! `unaccounted`; what they explain more than once is told as well.
//! The schema is documented in docs/exits.md.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::exits::Access;
use crate::kvm::Stats;

/// Name and version of the JSON.
pub const SCHEMA: &str = "illico-exits/2";

/// A word of docs/exits.md, or a name.
pub type Word = Cow<'static, str>;

/// Every reason there is, in the order of the table.
pub const REASONS: [&str; 12] = [
    "port",
    "mmio",
    "kick",
    "memory",
    "hlt",
    "hypercall",
    "interrupt-window",
    "nmi-window",
    "host-interrupt",
    "signal",
    "eoi",
    "unaccounted",
];

/// A whole machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: Word,
    /// One for each vCPU.
    pub vcpus: Vec<VcpuReport>,
    /// Exits handled by the monitor, by device; rows without exits are left out.
    pub monitor: Vec<MonitorRow>,
    /// One for each VirtIO device.
    pub devices: Vec<DeviceReport>,
}

/// One vCPU.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VcpuReport {
    /// Its number.
    pub vcpu: u8,
    /// All exits, as KVM counts them; absent on a kernel that does not tell.
    pub exits: Option<u64>,
    /// By reason, the sum being `exits`.
    pub reasons: Vec<ReasonRow>,
    /// By how much the reasons are more than `exits`, where something was counted as two of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counted_twice: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One reason of one vCPU.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReasonRow {
    /// A word of docs/exits.md.
    pub reason: Word,
    /// Exits handled by the monitor.
    pub monitor: u64,
    /// Exits that the kernel handled; absent where it does not tell.
    pub kernel: Option<u64>,
}

/// Exits of all vCPUs that one party answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MonitorRow {
    /// A device's name, or a word of docs/exits.md.
    pub party: String,
    /// `port-read`, `port-write`, `mmio-read` or `mmio-write`.
    pub access: Word,
    /// How many.
    pub exits: u64,
}

/// One VirtIO device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Word,
    /// Its queues in order.
    pub queues: Vec<QueueReport>,
}

/// One queue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct QueueReport {
    /// Its number.
    pub queue: usize,
    /// Kicks: each was an exit, handled in the kernel.
    pub kicks: u64,
    /// Interrupts raised.
    pub interrupts: u64,
    /// Batches of completions for which the guest wanted no interrupt.
    pub suppressed: u64,
    /// Requests completed.
    pub requests: u64,
    /// Bytes from the guest.
    pub bytes_from_guest: u64,
    /// Bytes to the guest.
    pub bytes_to_guest: u64,
    /// What looking at the ring cost, where the queue is polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<PollReport>,
}

/// What polling saved, and what it cost.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PollReport {
    /// Looks that found a request: each saved a kick.
    pub found: u64,
    /// Looks that ended without one.
    pub empty: u64,
    /// Time spent looking, in nanoseconds of host CPU.
    pub nanoseconds: u64,
}

/// Those of KVM's counters of a vCPU that say where exits went.
pub const KERNEL: [&str; 10] = [
    "exits",
    "io_exits",
    "mmio_exits",
    "pf_taken",
    "pf_emulate",
    "halt_exits",
    "hypercalls",
    "irq_window_exits",
    "nmi_window_exits",
    "irq_exits",
];

/// Their values, where this host's KVM tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelTotals(pub [Option<u64>; KERNEL.len()]);

impl KernelTotals {
    /// What is among the statistics of a vCPU.
    pub fn of(stats: &Stats) -> Self {
        Self(KERNEL.map(|name| stats.get(name)))
    }

    fn get(&self, name: &str) -> Option<u64> {
        KERNEL.iter().zip(self.0).find(|(known, _)| **known == name)?.1
    }
}

/// What is known of one vCPU at one moment.
#[derive(Debug, Clone)]
pub struct VcpuFigures {
    /// Its number.
    pub index: u8,
    /// What came up, a row a party.
    pub table: Vec<[u64; Access::ALL.len()]>,
    /// Ends of level-triggered interrupts.
    pub eoi: u64,
    /// Kicks of the monitor's own.
    pub interrupted: u64,
    /// What KVM counted.
    pub kernel: KernelTotals,
}

impl Report {
    /// Merges the figures. `parties` are the names of the rows of each table.
    pub fn new(parties: &[String], vcpus: &[VcpuFigures], devices: Vec<DeviceReport>) -> Self {
        let mut monitor = Vec::new();
        for (row, party) in parties.iter().enumerate() {
            for access in Access::ALL {
                let counts = vcpus.iter().filter_map(|vcpu| vcpu.table.get(row));
                let exits = counts.map(|row| row[access.column()]).fold(0, u64::saturating_add);
                if exits > 0 {
                    monitor.push(MonitorRow { party: party.clone(), access: access.name().into(), exits });
                }
            }
        }
        let kicks =
            devices.iter().flat_map(|device| &device.queues).map(|queue| queue.kicks).fold(0, u64::saturating_add);
        // A kick is known by its queue, not by its vCPU: with several vCPUs it stays unaccounted.
        let kicks = (vcpus.len() == 1).then_some(kicks);
        let vcpus = vcpus.iter().map(|figures| vcpu_report(figures, kicks)).collect();
        Self { schema: SCHEMA.into(), vcpus, monitor, devices }
    }
}

fn vcpu_report(figures: &VcpuFigures, kicks: Option<u64>) -> VcpuReport {
    // A page that is read while it is written, or that another program writes, may hold anything: no sum may overflow.
    let all = |is_wanted: fn(&Access) -> bool| {
        let accesses = Access::ALL.into_iter().filter(is_wanted);
        let counts = accesses.flat_map(|access| figures.table.iter().map(move |row| row[access.column()]));
        counts.fold(0, u64::saturating_add)
    };
    let port = all(|access| matches!(access, Access::Platform(_)));
    let mmio = all(|access| !matches!(access, Access::Platform(_)));
    let VcpuFigures { eoi, interrupted, .. } = *figures;
    let stat = |name: &str| figures.kernel.get(name);
    let row = |reason: &'static str, monitor, kernel| ReasonRow { reason: reason.into(), monitor, kernel };
    let mut reasons = vec![
        row("port", port, stat("io_exits").map(|all| all.saturating_sub(port))),
        row("mmio", mmio, stat("mmio_exits").map(|all| all.saturating_sub(mmio))),
    ];
    if let Some(kicks) = kicks {
        reasons.push(row("kick", 0, Some(kicks)));
    }
    // A write to a read-only page faults and is then emulated: it is an MMIO exit already.
    let emulated = stat("pf_emulate").unwrap_or(0);
    reasons.push(row("memory", 0, stat("pf_taken").map(|all| all.saturating_sub(emulated))));
    reasons.push(row("hlt", 0, stat("halt_exits")));
    reasons.push(row("hypercall", 0, stat("hypercalls")));
    reasons.push(row("interrupt-window", 0, stat("irq_window_exits")));
    reasons.push(row("nmi-window", 0, stat("nmi_window_exits")));
    reasons.push(row("host-interrupt", 0, stat("irq_exits")));
    reasons.push(row("signal", interrupted, None));
    reasons.push(row("eoi", eoi, None));
    let exits = stat("exits");
    let named = reasons.iter().map(|row| row.monitor.saturating_add(row.kernel.unwrap_or(0)));
    let named = named.fold(0, u64::saturating_add);
    reasons.push(row("unaccounted", 0, exits.map(|all| all.saturating_sub(named))));
    let counted_twice = exits.map_or(0, |all| named.saturating_sub(all));
    VcpuReport { vcpu: figures.index, exits, reasons, counted_twice }
}
