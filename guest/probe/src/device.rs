//! Which virtio devices there are: by PCI configuration space, and by the command line. Nothing is set up here.

use alloc::vec::Vec;

use crate::command_line::{Announced, CommandLine};
use crate::pci::{self, Function};
use crate::region::Region;

const VIRTIO_VENDOR: u16 = 0x1af4;
/// PCI device IDs of VirtIO 1 are this plus the device type (VirtIO 1.3, 4.1.2).
const MODERN_DEVICE: u16 = 0x1040;
/// "virt", the first register of a virtio-mmio device (4.2.2).
const MMIO_MAGIC: u32 = 0x7472_6976;
const MMIO_DEVICE_ID: usize = 8;

/// Device types (VirtIO 1.3, 5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Kind(pub(crate) u32);

impl Kind {
    pub(crate) const NET: Self = Self(1);
    pub(crate) const BLOCK: Self = Self(2);
    pub(crate) const CONSOLE: Self = Self(3);
    pub(crate) const ENTROPY: Self = Self(4);
    pub(crate) const PMEM: Self = Self(27);

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NET => "net",
            Self::BLOCK => "blk",
            Self::CONSOLE => "console",
            Self::ENTROPY => "entropy",
            Self::PMEM => "pmem",
            _ => "other",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Pci(Function),
    Mmio(Announced),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Device {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// Place in the list, which decides its interrupt vectors.
    pub(crate) index: u8,
}

/// Looks at every slot and every announced device.
pub(crate) fn find(command_line: CommandLine) -> Vec<Device> {
    let ecam = command_line.number("ecam", pci::ECAM);
    let functions = (0..pci::SLOTS).map(|slot| Function::at(ecam, slot)).filter_map(|function| {
        let modern = function.vendor() == VIRTIO_VENDOR && function.device() >= MODERN_DEVICE;
        modern.then(|| (Kind(u32::from(function.device() - MODERN_DEVICE)), Place::Pci(function)))
    });
    let announced = command_line.devices().filter_map(|announced| {
        let registers = Region(announced.base as usize);
        let kind: u32 = if registers.read::<u32>(0) == MMIO_MAGIC { registers.read(MMIO_DEVICE_ID) } else { 0 };
        // Type 0 is a place that has no device.
        (kind != 0).then_some((Kind(kind), Place::Mmio(announced)))
    });
    let all = functions.chain(announced);
    (0..=u8::MAX).zip(all).map(|(index, (kind, place))| Device { kind, place, index }).collect()
}
