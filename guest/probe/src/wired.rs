//! A transport of `virtio-drivers` with interrupts: it does all by the crate's own code, and gives the queues that
//! should interrupt their MSI-X vector before they are enabled, which the crate does not do.

use core::ptr::NonNull;

use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{Cam, DeviceFunction, MmioCam, PciRoot};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, SomeTransport, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::device::{Device, Place};
use crate::dma::Identity;
use crate::registers::Registers;

#[derive(Debug)]
pub(crate) struct Wired {
    inner: SomeTransport<'static>,
    registers: Registers,
    /// Queues that interrupt, as bits.
    interrupting: u64,
}

impl Wired {
    pub(crate) fn open(device: &Device, ecam: u64, interrupting: u64) -> Option<Self> {
        let registers = Registers::open(device)?;
        let inner = match device.place {
            Place::Pci(function) => {
                // SAFETY: configuration space is mapped; `Region` accesses it only between calls of the crate.
                let mut root = PciRoot::new(unsafe { MmioCam::new(ecam as *mut u8, Cam::Ecam) });
                let function = DeviceFunction { bus: 0, device: function.slot, function: 0 };
                SomeTransport::Pci(PciTransport::new::<Identity, _>(&mut root, function).ok()?)
            }
            Place::Mmio(announced) => {
                let header = NonNull::new(announced.base as *mut VirtIOHeader)?;
                // SAFETY: the command line announces a virtio-mmio device there, whose magic was read.
                SomeTransport::Mmio(unsafe { MmioTransport::new(header, announced.size as usize) }.ok()?)
            }
        };
        Some(Self { inner, registers, interrupting })
    }

    pub(crate) fn registers(&self) -> Registers {
        self.registers
    }
}

impl Transport for Wired {
    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.inner.read_device_features()
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        self.inner.write_driver_features(driver_features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.inner.max_queue_size(queue)
    }

    fn notify(&mut self, queue: u16) {
        self.inner.notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.inner.set_status(status);
    }

    fn set_guest_page_size(&mut self, guest_page_size: u32) {
        self.inner.set_guest_page_size(guest_page_size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(&mut self, queue: u16, size: u32, desc: PhysAddr, driver: PhysAddr, device: PhysAddr) {
        if self.interrupting & 1 << queue != 0 {
            self.registers.set_vector(queue);
        }
        self.inner.queue_set(queue, size, desc, driver, device);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.inner.queue_unset(queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.inner.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.inner.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        self.inner.read_config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}
