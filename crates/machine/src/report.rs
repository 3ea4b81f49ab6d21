//! Where the exits of a machine went, as data: what `--exits-json` writes and `--exits` prints.
//!
//! Three sources are merged and told apart. The monitor counts what came up to it. KVM counts all
//! exits of a vCPU and some reasons (`KVM_GET_STATS_FD`). An eventfd counts the kicks that KVM swallowed.
//! What they do not explain (CPUID, MSR, control registers, which KVM does not tell apart) is one line,
//! `unaccounted`; what they explain more than once is told as well.
//! The schema is documented in docs/exits.md.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::exits::{Access, Party, VcpuExits};
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
    /// Exits that came up to the monitor, by who answered; rows without exits are left out.
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
    /// Exits that came up to the monitor.
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

/// What is known of one vCPU at the end.
#[derive(Debug)]
pub struct VcpuFigures {
    /// Its number.
    pub index: u8,
    /// What came up.
    pub exits: Arc<VcpuExits>,
    /// What KVM counted, where it does.
    pub stats: Option<Stats>,
}

impl Report {
    /// Merges the figures.
    pub fn new(vcpus: &[VcpuFigures], devices: Vec<DeviceReport>) -> Self {
        let parties = Party::FIXED.into_iter().chain((0..devices.len()).map(|index| Party::Device(index as u16)));
        let mut monitor = Vec::new();
        for party in parties {
            for access in Access::ALL {
                let exits = vcpus.iter().map(|vcpu| vcpu.exits.get(party, access)).sum();
                if exits > 0 {
                    let name = match party {
                        Party::Device(index) => devices[usize::from(index)].name.clone(),
                        fixed => fixed.name().to_owned(),
                    };
                    monitor.push(MonitorRow { party: name, access: access.name().into(), exits });
                }
            }
        }
        let kicks = devices.iter().flat_map(|device| &device.queues).map(|queue| queue.kicks).sum();
        // A kick is known by its queue, not by its vCPU: with several vCPUs it stays unaccounted.
        let kicks = (vcpus.len() == 1).then_some(kicks);
        let vcpus = vcpus.iter().map(|figures| vcpu_report(figures, kicks)).collect();
        Self { schema: SCHEMA.into(), vcpus, monitor, devices }
    }
}

fn vcpu_report(figures: &VcpuFigures, kicks: Option<u64>) -> VcpuReport {
    let port = figures.exits.sum(&[Access::PortRead, Access::PortWrite]);
    let mmio = figures.exits.sum(&[Access::MmioRead, Access::MmioWrite]);
    let eoi = figures.exits.eoi.get();
    let interrupted = figures.exits.interrupted.get();
    let stat = |name: &str| figures.stats.as_ref().and_then(|stats| stats.get(name));
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
    let named: u64 = reasons.iter().map(|row| row.monitor + row.kernel.unwrap_or(0)).sum();
    reasons.push(row("unaccounted", 0, exits.map(|all| all.saturating_sub(named))));
    let counted_twice = exits.map_or(0, |all| named.saturating_sub(all));
    VcpuReport { vcpu: figures.index, exits, reasons, counted_twice }
}
