//! `illico boot`: a machine, option by option.

use std::path::PathBuf;

use clap::Args;

use super::{Accounting, Devices, Timeline};
use crate::vms::Name;

pub const HELP: &str = "\
Examples:
  illico boot --kernel vmlinuz --initrd initrd.img
  illico boot --kernel vmlinux --disk path=root.img --cmdline 'root=/dev/vda rw' --exits
  illico boot --kernel netbsd --memory 64M --console none --exits-json exits.json
  illico boot --kernel :probe: --cmdline probe=hello,ring0

Keys: Ctrl-A x leaves, Ctrl-A Ctrl-A sends Ctrl-A.
Signals: SIGTERM presses the guest's power button; a second one, or --stop-timeout without an answer, stops it at once.

Status:
  0    the guest powered off or reset, or you left with Ctrl-A x
  101  the guest's kernel panicked (and said so through pvpanic, or by a warm reset)
  102  a vCPU triple-faulted
  103  KVM met something that it cannot do (KVM_EXIT_INTERNAL_ERROR)
  104  a vCPU could not be entered
  105  the guest ended well, but spent more exits than --budget allows
  125  illico could not do what was asked: the message names the option and the fix
  143  stopped by a second SIGTERM, or after --stop-timeout";

/// Options of `illico boot`.
#[derive(Debug, Args)]
pub struct Boot {
    /// Kernel: an ELF with a PVH note, a Linux vmlinux, or a bzImage (recognised by its bytes); or
    /// `:probe:`, the kernel that illico brings along to look at a machine from inside (guest/probe), or
    /// `:ten:`, ten instructions that power off.
    /// Example: --kernel vmlinuz
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Initial RAM disk, handed to the kernel as it is. Example: --initrd initrd.img
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,

    /// Words for the kernel; they come after the defaults, so they win. Example: --cmdline 'root=/dev/vda quiet'
    #[arg(long, value_name = "STRING", allow_hyphen_values = true)]
    pub cmdline: Option<String>,

    /// Leave out the default words (docs/boot.md lists them, each with its reason).
    /// Example: --no-default-cmdline --cmdline 'console=hvc0'
    #[arg(long)]
    pub no_default_cmdline: bool,

    /// vCPUs, 1 to 64 [default: 1]. Example: --cpus 2
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cpus: Option<String>,

    /// Guest RAM, from 16M up; a bare number is MiB [default: 512M]. Example: --memory 2G
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub memory: Option<String>,

    #[command(flatten)]
    pub devices: Devices,

    /// A port of the host that leads to a port of the guest, with --net user; may be repeated. Example: -p 8080:80
    #[arg(short = 'p', long, value_name = "[ADDRESS:]HOST:GUEST[/udp]")]
    pub publish: Vec<String>,

    /// The console: a VirtIO one, a UART that exits for every character, or none [default: virtio].
    /// Example: --console uart
    #[arg(long, value_name = "virtio|uart|none")]
    pub console: Option<String>,

    /// Add a CMOS real-time clock, for kernels that do not know kvm-clock. It tells UTC and cannot be set.
    /// Example: --rtc
    #[arg(long)]
    pub rtc: bool,

    /// How VirtIO devices are reached [default: pci]. Example: --transport mmio
    #[arg(long, value_name = "pci|mmio")]
    pub transport: Option<String>,

    /// Take something away from all VirtIO devices, to see what it is worth: event-idx (kicks and interrupts
    /// wanted at an index), indirect (chains in tables of their own), msix (interrupts as messages).
    /// Example: --without event-idx,msix
    #[arg(long, value_name = "event-idx|indirect|msix[,...]", value_delimiter = ',')]
    pub without: Vec<String>,

    /// How virtio-mmio devices are announced: cmdline is for kernels that do not read ACPI [default: acpi].
    /// Example: --announce cmdline
    #[arg(long, value_name = "acpi|cmdline")]
    pub announce: Option<String>,

    /// How the host backs guest memory: transparent huge pages, its hugetlb pool, or small pages
    /// [default: thp]. Example: --hugepages hugetlb
    #[arg(long, value_name = "thp|hugetlb|off")]
    pub hugepages: Option<String>,

    /// Keep state of the machine under this name, for `illico ps`, `stop` and the others. Example: --name web
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Seconds that a guest may take to power off after a first SIGTERM; then it is stopped. Example: --stop-timeout 60
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub stop_timeout: u32,

    #[command(flatten)]
    pub accounting: Accounting,

    #[command(flatten)]
    pub timeline: Timeline,

    /// Print descriptor chains as they pass through a queue, or all queues, of a device, with their bytes, as
    /// docs/virtqueue.md explains. Devices are called as in --exits. Example: --trace-queue disk0:0
    #[arg(long, value_name = "DEVICE[:QUEUE]")]
    pub trace_queue: Option<String>,

    /// How many chains are printed [default: 64]. Example: --trace-chains 8
    #[arg(long, value_name = "N", requires = "trace_queue")]
    pub trace_chains: Option<u32>,

    /// Read the machine from a file first; options change and add to it. Example: --config machine.toml
    #[arg(long, value_name = "FILE.json|.toml")]
    pub config: Option<PathBuf>,
}
