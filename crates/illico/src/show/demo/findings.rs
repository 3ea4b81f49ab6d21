//! All that was measured, as data: what `--json` prints. docs/demo.md has the schema.

use serde::Serialize;

use super::Spread;

/// Name and version of the JSON.
pub const SCHEMA: &str = "illico-demo/1";

/// Everything.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Where it was measured.
    pub host: Host,
    /// How long all of it took.
    pub seconds: f64,
    /// The same computation on the host and in a guest.
    pub compute: Compute,
    /// A process, a machine, a set of namespaces, from exec to the end.
    pub start: Start,
    /// 64 KiB through two consoles.
    pub console: Console,
    /// A block by three devices.
    pub disk: Disk,
    /// A guest that touches what it must not.
    pub wild: Wild,
}

/// A host.
#[derive(Debug, Serialize)]
pub struct Host {
    /// The processor's name, as it tells it.
    pub processor: String,
    /// The kernel's version.
    pub kernel: String,
}

impl Host {
    /// Asks the kernel.
    pub fn look() -> Self {
        let uname = rustix::system::uname();
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            processor: name.map_or_else(|| "an x86-64 processor".to_owned(), |(_, name)| name.trim().to_owned()),
            kernel: uname.release().to_string_lossy().into_owned(),
        }
    }
}

/// What the same computation took on both sides.
#[derive(Debug, Serialize)]
pub struct Compute {
    /// Steps of the computation.
    pub rounds: u64,
    /// On the host, in milliseconds.
    pub host_ms: Spread,
    /// In the guest, by the same counter.
    pub guest_ms: Spread,
    /// Guest to host, pair by pair.
    pub ratio: Spread,
    /// How often the guest left the CPU for one of them, on average; absent where KVM does not tell.
    pub exits: Option<f64>,
}

/// What starts and ends cost.
#[derive(Debug, Serialize)]
pub struct Start {
    /// Fork, exec and wait for `true`, in milliseconds.
    pub process_ms: Spread,
    /// The same for illico with a machine of ten instructions.
    pub machine_ms: Spread,
    /// Machine to process, turn by turn.
    pub ratio: Spread,
    /// The same for `true` in fresh namespaces.
    pub namespaces: Namespaces,
}

/// Fresh namespaces, if this user may make them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespaces {
    /// They were made.
    Made {
        /// How many kinds.
        kinds: usize,
        /// From exec of unshare(1) to the end, in milliseconds.
        ms: Spread,
    },
    /// They were not.
    Refused {
        /// What unshare(1) said.
        why: String,
    },
}

/// What 64 KiB to a console cost.
#[derive(Debug, Serialize)]
pub struct Console {
    /// How many bytes each way took.
    pub bytes: u64,
    /// Port by port access.
    pub uart: Way,
    /// Through memory.
    pub virtio: Way,
}

/// One way.
#[derive(Debug, Serialize)]
pub struct Way {
    /// Exits that these bytes caused.
    pub exits: u64,
    /// How long it took the guest, in milliseconds.
    pub ms: f64,
}

/// What a block costs by each device.
#[derive(Debug, Serialize)]
pub struct Disk {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// virtio-blk as a register page with an interrupt line.
    pub mmio: Path,
    /// virtio-blk as a PCI function with MSI-X.
    pub pci: Path,
    /// virtio-pmem, already mapped by the guest.
    pub pmem: Path,
}

/// What one block costs on one way, on average.
#[derive(Debug, Serialize)]
pub struct Path {
    /// Blocks that it is the average of.
    pub blocks: u64,
    /// Kicks: exits that tell the host of a request.
    pub kicks: f64,
    /// Accesses to registers that the monitor handled.
    pub registers: f64,
    /// Halts until the answer came; where it is there at once, there is none.
    pub halts: f64,
    /// Everything else that KVM counts, the host's own interrupts among it; absent where it does not tell.
    pub other: Option<f64>,
    /// Microseconds from request to answer.
    pub microseconds: f64,
}

impl Path {
    /// Exits that the block itself causes.
    pub fn exits(&self) -> f64 {
        self.kicks + self.registers + self.halts
    }
}

/// What became of a guest that touches what it must not.
#[derive(Debug, Serialize)]
pub struct Wild {
    /// What the guest did, in order.
    pub deeds: Vec<Deed>,
    /// The status that its process ended with: 102 for the triple fault that was its last deed.
    pub status: i32,
}

/// One thing that it did.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Deed {
    /// The attack's name (guest/probe/src/experiments/wild).
    pub attack: String,
    /// What came of it: `ignored`, `needs-reset`, `completed` or `triple-fault`.
    pub verdict: String,
    /// Whether what was attacked works for an honest driver afterwards; absent where nothing can.
    pub works_again: Option<bool>,
}
