//! A whole machine as data: what the command line, a configuration file and a program say alike.

mod check;
mod devices;
pub mod key_value;
mod place;
mod size;

use std::path::PathBuf;

use illico_memory::Pages;
use illico_virtio::block::DiskSpec;
use illico_virtio::device::DeviceSpec;
use illico_virtio::fs::FsSpec;
use illico_virtio::net::NetSpec;
use illico_virtio::pmem::PmemSpec;
use illico_virtio::spec::feature;
use illico_virtio::vsock::VsockSpec;
use serde::{Deserialize, Serialize};

pub use check::{ConfigError, Mistake};
use devices::DeviceField;
pub use devices::DeviceOption;
use devices::config;
use key_value::KeyValueError;
pub use place::{Advice, OpenError, Place};
pub use size::Size;

/// vCPUs at most.
pub const MAX_CPUS: u8 = 64;

config! {
    /// A machine. Each field is the option of the same name.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
    pub struct Config {
        /// The kernel image: ELF with or without a PVH note, or bzImage.
        pub kernel: PathBuf = PathBuf::new(),
        /// The initial RAM disk.
        pub initrd: Option<PathBuf> = None,
        /// Words for the kernel, behind the default ones.
        pub cmdline: String = String::new(),
        /// Whether the default words come first (boot.md lists them).
        pub default_cmdline: bool = true,
        /// vCPUs, 1 to 64.
        pub cpus: u8 = 1,
        /// RAM: a number with K, M, G or T; a bare number is MiB.
        pub memory: Size = Size::mebibytes(512),
        /// The console: `virtio`, `uart` (an exit for every character) or `none`.
        pub console: Console = Console::Virtio,
        /// Whether there is a CMOS real-time clock.
        pub rtc: bool = false,
        /// How VirtIO devices are reached: `pci` or `mmio`.
        pub transport: Transport = Transport::Pci,
        /// What is taken away from all VirtIO devices, to see what it is worth: any of `event-idx`, `indirect`, `msix`.
        pub without: Vec<Feature> = Vec::new(),
        /// How virtio-mmio devices are announced: `acpi`, or `cmdline` for kernels that do not read ACPI.
        pub announce: Announce = Announce::Acpi,
        /// How the host backs guest memory: `thp` (transparent huge pages), `hugetlb` (its pool) or `off`.
        pub hugepages: HugePages = HugePages::Thp,
    }

    devices {
        /// Disks, in the order in which the guest numbers them.
        pub disk: Vec<DiskSpec>,
        /// Files that the guest maps as memory.
        pub pmem: Vec<PmemSpec>,
        /// Folders of the host.
        pub fs: Vec<FsSpec>,
        /// Network cards.
        pub net: Vec<NetSpec>,
        /// Streams to and from programs of the host.
        pub vsock: Option<VsockSpec>,
        /// Whether there is a source of random bytes.
        pub entropy: Switch,
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// There.
    #[default]
    On,
    /// Not there.
    Off,
}

/// What the console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Console {
    /// A VirtIO console: a kick for each write.
    Virtio,
    /// A 16550 UART: an exit for each character.
    Uart,
    /// None.
    None,
}

/// How VirtIO devices are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// PCI functions with MSI-X.
    Pci,
    /// Register pages with an interrupt line each.
    Mmio,
}

/// What a VirtIO device can do without, at a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Kicks and interrupts wanted at an index (VirtIO 1.3 § 2.7.7.2, § 2.7.10), and not on or off.
    EventIdx,
    /// Chains in tables of their own (§ 2.7.5.3).
    Indirect,
    /// Interrupts that are messages. A PCI function without has a pin, whose interrupts it asks for.
    Msix,
}

impl Feature {
    /// The feature bits (§ 6) of all of `without`.
    pub fn bits(without: &[Self]) -> u64 {
        let bit = |feature: &Self| match feature {
            Self::EventIdx => feature::EVENT_IDX,
            Self::Indirect => feature::INDIRECT_DESC,
            Self::Msix => 0,
        };
        without.iter().fold(0, |bits, feature| bits | bit(feature))
    }
}

/// How virtio-mmio devices are announced to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Announce {
    /// In the ACPI tables.
    Acpi,
    /// On the kernel's command line, for kernels that do not read ACPI.
    Cmdline,
}

/// How the host backs guest memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HugePages {
    /// Transparent huge pages, as the host has them.
    Thp,
    /// The host's hugetlb pool.
    Hugetlb,
    /// Small pages.
    Off,
}

impl From<HugePages> for Pages {
    fn from(pages: HugePages) -> Self {
        match pages {
            HugePages::Thp => Self::Transparent,
            HugePages::Hugetlb => Self::HugeTlb,
            HugePages::Off => Self::Small,
        }
    }
}
