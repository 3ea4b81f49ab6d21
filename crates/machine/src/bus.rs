//! Which device answers at which address. Frozen before the first vCPU runs.
//!
//! Each call is an exit. Register pages that the guest reads as memory do not come here, and neither do kicks.

use illico_memory::GuestAddress;

use crate::arch::Platform;
use crate::exits::Party;
use crate::mmio::MmioBus;
use crate::pci::{self, PciBus};

/// Everything that answers exits.
#[derive(Debug)]
pub struct Bus {
    /// Devices over virtio-pci.
    pub pci: Option<PciBus>,
    /// Devices over virtio-mmio.
    pub mmio: Option<MmioBus>,
    /// The parts of the platform.
    pub platform: Platform,
}

impl Bus {
    /// An MMIO read; an unclaimed address reads as all ones.
    pub fn read(&self, at: GuestAddress, out: &mut [u8]) -> Party {
        out.fill(0xff);
        if let Some(bus) = &self.pci
            && let Some((index, offset)) = bus.find(at)
        {
            bus.read_bar(index, offset, out);
            return Party::Device(index as u16);
        }
        if let Some((bus, index, offset)) = self.find_mmio(at) {
            bus.read(index, offset, out);
            return Party::Device(index as u16);
        }
        if let Some(part) = self.platform.read(at, out) {
            return Party::Platform(part);
        }
        if let (Some(bus), Some(offset)) = (&self.pci, inside(at, pci::ECAM, pci::ECAM_SIZE)) {
            bus.read_config(offset, out);
            return Party::PciConfig;
        }
        Party::Unclaimed
    }

    /// An MMIO write; one to an unclaimed address is dropped.
    pub fn write(&self, at: GuestAddress, bytes: &[u8]) -> Party {
        if let Some(bus) = &self.pci {
            if let Some(offset) = inside(at, pci::ECAM, pci::ECAM_SIZE) {
                bus.write_config(offset, bytes);
                return Party::PciConfig;
            }
            if let Some((index, offset)) = bus.find(at) {
                bus.write_bar(index, offset, bytes);
                return Party::Device(index as u16);
            }
        }
        if let Some((bus, index, offset)) = self.find_mmio(at) {
            bus.write(index, offset, bytes);
            return Party::Device(index as u16);
        }
        self.platform.write(at, bytes).map_or(Party::Unclaimed, Party::Platform)
    }

    fn find_mmio(&self, at: GuestAddress) -> Option<(&MmioBus, usize, u64)> {
        let bus = self.mmio.as_ref()?;
        bus.find(at).map(|(index, offset)| (bus, index, offset))
    }

    /// Takes every device off its queues: when this returns, none of them touches guest memory any more.
    pub fn reset(&self) {
        if let Some(bus) = &self.pci {
            bus.reset();
        }
        if let Some(bus) = &self.mmio {
            bus.reset();
        }
    }
}

fn inside(at: GuestAddress, start: GuestAddress, size: u64) -> Option<u64> {
    at.0.checked_sub(start.0).filter(|&offset| offset < size)
}
