//! The registers of a virtio device by both transports (VirtIO 1.3, 4.1.4 and 4.2.2), for what `virtio-drivers` does
//! not do: vectors, device types that it does not know, and values that no honest driver writes. Nothing is checked.

use core::sync::atomic::{Ordering, fence};

use crate::device::{Device, Place};
use crate::entry::{FIRST_VECTOR, VECTORS};
use crate::pci::{Function, Msix};
use crate::region::Region;
use crate::{ioapic, paging};

pub(crate) const ACKNOWLEDGE: u8 = 1;
pub(crate) const DRIVER: u8 = 2;
pub(crate) const DRIVER_OK: u8 = 4;
pub(crate) const FEATURES_OK: u8 = 8;
pub(crate) const NEEDS_RESET: u8 = 64;

/// Queues of one device that get a vector of their own; those above share none and interrupt never.
const VECTORS_A_DEVICE: u8 = 3;
pub(crate) const NO_VECTOR: u16 = 0xffff;
const CAPABILITY_VENDOR: u8 = 9;
/// More than any device's BAR; only the mapping depends on it.
const BAR_SIZE: u64 = 1 << 20;

mod common {
    //! Offsets in `virtio_pci_common_cfg`.
    pub(crate) const DEVICE_FEATURE_SELECT: usize = 0x00;
    pub(crate) const DEVICE_FEATURE: usize = 0x04;
    pub(crate) const DRIVER_FEATURE_SELECT: usize = 0x08;
    pub(crate) const DRIVER_FEATURE: usize = 0x0c;
    pub(crate) const DEVICE_STATUS: usize = 0x14;
    pub(crate) const QUEUE_SELECT: usize = 0x16;
    pub(crate) const QUEUE_SIZE: usize = 0x18;
    pub(crate) const QUEUE_MSIX_VECTOR: usize = 0x1a;
    pub(crate) const QUEUE_ENABLE: usize = 0x1c;
    pub(crate) const QUEUE_NOTIFY_OFF: usize = 0x1e;
    pub(crate) const QUEUE_DESC: usize = 0x20;
    pub(crate) const QUEUE_DRIVER: usize = 0x28;
    pub(crate) const QUEUE_DEVICE: usize = 0x30;
}

mod mmio {
    //! Offsets of the virtio-mmio registers.
    pub(crate) const DEVICE_FEATURES: usize = 0x010;
    pub(crate) const DEVICE_FEATURES_SEL: usize = 0x014;
    pub(crate) const DRIVER_FEATURES: usize = 0x020;
    pub(crate) const DRIVER_FEATURES_SEL: usize = 0x024;
    pub(crate) const QUEUE_SEL: usize = 0x030;
    pub(crate) const QUEUE_NUM_MAX: usize = 0x034;
    pub(crate) const QUEUE_NUM: usize = 0x038;
    pub(crate) const QUEUE_READY: usize = 0x044;
    pub(crate) const QUEUE_NOTIFY: usize = 0x050;
    pub(crate) const INTERRUPT_STATUS: usize = 0x060;
    pub(crate) const INTERRUPT_ACK: usize = 0x064;
    pub(crate) const STATUS: usize = 0x070;
    pub(crate) const QUEUE_DESC: usize = 0x080;
    pub(crate) const QUEUE_DRIVER: usize = 0x090;
    pub(crate) const QUEUE_DEVICE: usize = 0x0a0;
    pub(crate) const CONFIG: usize = 0x100;
}

/// Physical addresses of a queue's three parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) descriptors: u64,
    pub(crate) driver: u64,
    pub(crate) device: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PciRegisters {
    pub(crate) common: Region,
    pub(crate) notify: Region,
    notify_multiplier: u32,
    configuration: Region,
    pub(crate) msix: Option<Msix>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bus {
    Pci(PciRegisters),
    Mmio(Region),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) bus: Bus,
    first_vector: u8,
}

impl PciRegisters {
    fn find(function: Function) -> Option<Self> {
        function.enable();
        let (mut common, mut notify, mut multiplier, mut configuration) = (None, None, 0, None);
        let space = function.configuration;
        for capability in function.capabilities().filter(|capability| capability.id == CAPABILITY_VENDOR) {
            let offset: u32 = space.read(capability.offset + 8);
            let region = || Some(function.bar(space.read(capability.offset + 4), BAR_SIZE)?.at(offset as usize));
            match space.read::<u8>(capability.offset + 3) {
                1 => common = region(),
                2 => {
                    notify = region();
                    multiplier = space.read(capability.offset + 16);
                }
                4 => configuration = region(),
                _ => {}
            }
        }
        let (common, notify) = (common?, notify?);
        // A device without its own configuration is not read there.
        let configuration = configuration.unwrap_or(common);
        Some(Self { common, notify, notify_multiplier: multiplier, configuration, msix: Msix::enable(function) })
    }

    fn select(&self, queue: u16) {
        self.common.write(common::QUEUE_SELECT, queue);
    }
}

impl Registers {
    /// Finds them, enables the device on its bus and routes its interrupts.
    pub(crate) fn open(device: &Device) -> Option<Self> {
        let most = VECTORS as u8 - VECTORS_A_DEVICE - 3;
        let first_vector = FIRST_VECTOR + (device.index.saturating_mul(VECTORS_A_DEVICE)).min(most);
        let bus = match device.place {
            Place::Pci(function) => {
                let registers = PciRegisters::find(function)?;
                if let Some(msix) = registers.msix {
                    for entry in 0..VECTORS_A_DEVICE {
                        msix.route(u16::from(entry) + 1, first_vector + entry);
                    }
                }
                Bus::Pci(registers)
            }
            Place::Mmio(announced) => {
                if !paging::map(announced.base, announced.size) {
                    return None;
                }
                ioapic::route(announced.interrupt, first_vector);
                Bus::Mmio(Region(announced.base as usize))
            }
        };
        Some(Self { bus, first_vector })
    }

    /// The vector by which `queue` interrupts: MSI-X gives each queue its own (entry 0 is left to configuration
    /// changes), virtio-mmio has one for all.
    pub(crate) fn vector(&self, queue: u16) -> u8 {
        match self.bus {
            Bus::Pci(_) => self.first_vector + (queue as u8).min(VECTORS_A_DEVICE - 1),
            Bus::Mmio(_) => self.first_vector,
        }
    }

    pub(crate) fn status(&self) -> u8 {
        match self.bus {
            Bus::Pci(pci) => pci.common.read(common::DEVICE_STATUS),
            Bus::Mmio(base) => base.read::<u32>(mmio::STATUS) as u8,
        }
    }

    pub(crate) fn set_status(&self, status: u8) {
        match self.bus {
            Bus::Pci(pci) => pci.common.write(common::DEVICE_STATUS, status),
            Bus::Mmio(base) => base.write(mmio::STATUS, u32::from(status)),
        }
    }

    /// Resets the device and waits until it is (2.4.2).
    pub(crate) fn reset(&self) -> bool {
        self.set_status(0);
        (0..1_000_000).any(|_| self.status() == 0)
    }

    pub(crate) fn features(&self) -> u64 {
        let half = |select: u32| match self.bus {
            Bus::Pci(pci) => {
                pci.common.write(common::DEVICE_FEATURE_SELECT, select);
                pci.common.read::<u32>(common::DEVICE_FEATURE)
            }
            Bus::Mmio(base) => {
                base.write(mmio::DEVICE_FEATURES_SEL, select);
                base.read::<u32>(mmio::DEVICE_FEATURES)
            }
        };
        u64::from(half(0)) | u64::from(half(1)) << 32
    }

    pub(crate) fn accept(&self, features: u64) {
        for (select, half) in [(0_u32, features as u32), (1, (features >> 32) as u32)] {
            match self.bus {
                Bus::Pci(pci) => {
                    pci.common.write(common::DRIVER_FEATURE_SELECT, select);
                    pci.common.write(common::DRIVER_FEATURE, half);
                }
                Bus::Mmio(base) => {
                    base.write(mmio::DRIVER_FEATURES_SEL, select);
                    base.write(mmio::DRIVER_FEATURES, half);
                }
            }
        }
    }

    /// Reset, and all steps up to the queues (3.1.1), with those of `wanted` that are offered. What was accepted, or
    /// `None` if the device did not agree.
    pub(crate) fn begin(&self, wanted: u64) -> Option<u64> {
        if !self.reset() {
            return None;
        }
        self.set_status(ACKNOWLEDGE);
        self.set_status(ACKNOWLEDGE | DRIVER);
        let accepted = self.features() & wanted;
        self.accept(accepted);
        self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
        (self.status() & FEATURES_OK != 0).then_some(accepted)
    }

    pub(crate) fn go(&self) {
        self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    }

    /// Largest size of a queue; 0 if there is no such queue.
    pub(crate) fn queue_max(&self, queue: u16) -> u32 {
        match self.bus {
            Bus::Pci(pci) => {
                pci.select(queue);
                pci.common.read::<u16>(common::QUEUE_SIZE).into()
            }
            Bus::Mmio(base) => {
                base.write(mmio::QUEUE_SEL, u32::from(queue));
                base.read(mmio::QUEUE_NUM_MAX)
            }
        }
    }

    /// Has `queue` interrupt by its vector; false if the device refused, true where there is nothing to set.
    pub(crate) fn set_vector(&self, queue: u16) -> bool {
        let Bus::Pci(pci) = self.bus else { return true };
        let entry = self.vector(queue) - self.first_vector + 1;
        self.set_raw_vector(queue, u16::from(entry)) == u16::from(entry) && pci.msix.is_some()
    }

    /// Writes a queue's MSI-X entry and reads it back (4.1.5.1.2).
    pub(crate) fn set_raw_vector(&self, queue: u16, entry: u16) -> u16 {
        let Bus::Pci(pci) = self.bus else { return NO_VECTOR };
        pci.select(queue);
        pci.common.write(common::QUEUE_MSIX_VECTOR, entry);
        pci.common.read(common::QUEUE_MSIX_VECTOR)
    }

    pub(crate) fn set_queue(&self, queue: u16, size: u16, addresses: Addresses) {
        let Addresses { descriptors, driver, device } = addresses;
        match self.bus {
            Bus::Pci(pci) => {
                pci.select(queue);
                pci.common.write(common::QUEUE_SIZE, size);
                for (register, address) in
                    [(common::QUEUE_DESC, descriptors), (common::QUEUE_DRIVER, driver), (common::QUEUE_DEVICE, device)]
                {
                    // Two halves: the spec's drivers may, and virtio-drivers writes the whole.
                    pci.common.write(register, address as u32);
                    pci.common.write(register + 4, (address >> 32) as u32);
                }
                pci.common.write(common::QUEUE_ENABLE, 1_u16);
            }
            Bus::Mmio(base) => {
                base.write(mmio::QUEUE_SEL, u32::from(queue));
                base.write(mmio::QUEUE_NUM, u32::from(size));
                for (register, address) in
                    [(mmio::QUEUE_DESC, descriptors), (mmio::QUEUE_DRIVER, driver), (mmio::QUEUE_DEVICE, device)]
                {
                    base.write(register, address as u32);
                    base.write(register + 4, (address >> 32) as u32);
                }
                base.write(mmio::QUEUE_READY, 1_u32);
            }
        }
    }

    pub(crate) fn queue_enabled(&self, queue: u16) -> bool {
        match self.bus {
            Bus::Pci(pci) => {
                pci.select(queue);
                pci.common.read::<u16>(common::QUEUE_ENABLE) == 1
            }
            Bus::Mmio(base) => {
                base.write(mmio::QUEUE_SEL, u32::from(queue));
                base.read::<u32>(mmio::QUEUE_READY) == 1
            }
        }
    }

    /// Where a kick of `queue` is written.
    pub(crate) fn doorbell(&self, queue: u16) -> Doorbell {
        match self.bus {
            Bus::Pci(pci) => {
                pci.select(queue);
                let offset: u16 = pci.common.read(common::QUEUE_NOTIFY_OFF);
                let register = pci.notify.at(usize::from(offset) * pci.notify_multiplier as usize);
                Doorbell { register, queue, wide: false }
            }
            Bus::Mmio(base) => Doorbell { register: base.at(mmio::QUEUE_NOTIFY), queue, wide: true },
        }
    }

    /// Acknowledges a line interrupt; MSI-X has nothing to acknowledge.
    pub(crate) fn acknowledge(&self) {
        if let Bus::Mmio(base) = self.bus {
            let pending: u32 = base.read(mmio::INTERRUPT_STATUS);
            base.write(mmio::INTERRUPT_ACK, pending);
        }
    }

    /// The device's own configuration space.
    pub(crate) fn configuration(&self) -> Region {
        match self.bus {
            Bus::Pci(pci) => pci.configuration,
            Bus::Mmio(base) => base.at(mmio::CONFIG),
        }
    }
}

/// Where and how a queue is kicked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doorbell {
    register: Region,
    queue: u16,
    /// virtio-mmio takes 32 bits, virtio-pci 16.
    wide: bool,
}

impl Doorbell {
    /// Tells the device that there is something in the ring; what was written there comes first.
    pub(crate) fn kick(self) {
        fence(Ordering::SeqCst);
        if self.wide {
            self.register.write(0, u32::from(self.queue));
        } else {
            self.register.write(0, self.queue);
        }
    }
}
