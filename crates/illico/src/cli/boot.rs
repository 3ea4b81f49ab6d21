//! `illico boot`: a machine, option by option.

use std::path::PathBuf;

use clap::Args;

use super::{Accounting, Timeline};
use crate::vms::Name;

pub const HELP: &str = "\
Examples:
  illico boot --kernel vmlinuz --initrd initrd.img
  illico boot --kernel vmlinux --disk path=root.img --cmdline 'root=/dev/vda rw' --exits
  illico boot --kernel netbsd --memory 64M --console none --exits-json exits.json
  illico boot --kernel :probe: --cmdline probe=hello,ring0

Keys: Ctrl-A x leaves, Ctrl-A Ctrl-A sends Ctrl-A.
Signals: SIGTERM presses the guest's power button, a second one stops it at once.

Status:
  0    the guest powered off or reset, or you left with Ctrl-A x
  101  the guest's kernel panicked (and said so through pvpanic, or by a warm reset)
  102  a vCPU triple-faulted
  103  KVM met something that it cannot do (KVM_EXIT_INTERNAL_ERROR)
  104  a vCPU could not be entered
  105  the guest ended well, but spent more exits than --budget allows
  125  illico could not do what was asked: the message names the option and the fix
  143  stopped by a second SIGTERM";

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

    /// A VirtIO disk on a raw file or block device; may be repeated. Example: --disk path=root.img,readonly
    #[arg(long, value_name = "path=FILE[,readonly][,engine=io_uring|sync][,queues=N][,poll=off|adaptive][,id=NAME]")]
    pub disk: Vec<String>,

    /// A file that the guest maps as memory (virtio-pmem, DAX); may be repeated. Example: --pmem path=root.ext4
    #[arg(long, value_name = "path=FILE[,readonly]")]
    pub pmem: Vec<String>,

    /// A folder of the host, shared with the guest (virtio-fs), which mounts it by its tag; may be repeated.
    /// Nothing outside of it can be reached. What belongs to you belongs to `owner` in the guest [default: 0:0].
    /// Example: --fs path=src,tag=src,readonly, then in the guest: mount -t virtiofs src /mnt
    #[arg(long, value_name = "path=DIR,tag=NAME[,readonly][,owner=UID[:GID]][,cache=auto|always][,xattr]")]
    pub fs: Vec<String>,

    /// A VirtIO network card: on a tap that exists (may be repeated), or in a network of 10.0.2.0/24 that leads to the
    /// host's, without any rights, by the program passt; with loopback, 10.0.2.2 is the host's own 127.0.0.1.
    /// Example: --net user
    #[arg(long, value_name = "tap=NAME[,mac=ADDR][,queues=N]|user[,mac=ADDR][,loopback]")]
    pub net: Vec<String>,

    /// A port of the host that leads to a port of the guest, with --net user; may be repeated. Example: -p 8080:80
    #[arg(short = 'p', long, value_name = "[ADDRESS:]HOST:GUEST[/udp]")]
    pub publish: Vec<String>,

    /// A VirtIO vsock device. A host program reaches the guest's port P by a connection to the unix socket and the
    /// line `CONNECT P`; the guest reaches the unix socket SOCKET_P by a connection to port P of CID 2.
    /// Example: --vsock path=/run/user/1000/vm.sock
    #[arg(long, value_name = "path=SOCKET[,cid=N]")]
    pub vsock: Option<String>,

    /// A VirtIO source of random bytes [default: on]. Example: --entropy off
    #[arg(long, value_name = "on|off")]
    pub entropy: Option<String>,

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
