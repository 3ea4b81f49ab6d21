//! A machine with one device behind a register page, for tests: a guest that loads from the page and
//! stores by exits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use illico_memory::{Mapping, Pages, Ram, Window};
use virtio_bindings::virtio_config::{
    VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK,
    VIRTIO_F_VERSION_1,
};
use virtio_bindings::virtio_mmio::*;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::*;
use crate::testkit::{FOOTPRINT, FakeDriver, Part, ram};
use crate::transport::toy::{self, Loop, Record, Toy, until};

pub(super) const ACKNOWLEDGE: u32 = VIRTIO_CONFIG_S_ACKNOWLEDGE;
pub(super) const DRIVER: u32 = ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
pub(super) const FEATURES_OK: u32 = DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
pub(super) const DRIVER_OK: u32 = FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;
pub(super) const LOW: u32 = (toy::FEATURE as u32) | 1 << VIRTIO_RING_F_EVENT_IDX | 1 << VIRTIO_RING_F_INDIRECT_DESC;
pub(super) const HIGH: u32 = 1 << (VIRTIO_F_VERSION_1 - 32);

/// A machine with one device, as its guest sees it: loads from the page, stores that exit.
pub(super) struct Guest {
    pub(super) ram: Ram,
    pub(super) page: Window,
    pub(super) transport: MmioTransport,
    pub(super) record: Arc<Record>,
    pub(super) line: EventFd,
    // Ends after the transport.
    _event_loop: Loop,
}

impl Guest {
    pub(super) fn new() -> Self {
        let event_loop = Loop::new();
        let ram = ram(2 * FOOTPRINT);
        let page = Mapping::anonymous(PAGE, Pages::Small).unwrap();
        let line = EventFd::new(EFD_NONBLOCK).unwrap();
        let toy = Toy::default();
        let record = Arc::clone(&toy.record);
        let transport = MmioTransport::new(
            Box::new(toy),
            ram.clone(),
            vec![event_loop.handle()],
            page.clone(),
            line.try_clone().unwrap(),
        );
        Self { ram, page, transport: transport.unwrap(), record, line, _event_loop: event_loop }
    }

    /// Without a second look by an exit, which takes its time.
    pub(super) fn readl_quick(&self, register: u32) -> u32 {
        self.page.load_u32(register as usize, Ordering::Acquire)
    }

    pub(super) fn readl(&self, register: u32) -> u32 {
        let value = self.page.load_u32(register as usize, Ordering::Acquire);
        let mut bytes = [0; 4];
        self.transport.read(register.into(), &mut bytes);
        assert_eq!(u32::from_le_bytes(bytes), value, "an exit reads what memory says");
        value
    }

    pub(super) fn writel(&mut self, register: u32, value: u32) {
        self.transport.write(register.into(), &value.to_le_bytes());
    }

    pub(super) fn image(&self) -> Vec<u8> {
        let mut image = vec![0; PAGE];
        self.page.copy_to(0, &mut image);
        image
    }

    pub(super) fn status(&self) -> u32 {
        self.readl(VIRTIO_MMIO_STATUS)
    }

    /// `virtio_mmio_probe`, `vm_reset`, `virtio_features_ok`: up to where queues are set up.
    pub(super) fn negotiate(&mut self) {
        assert_eq!(self.readl(VIRTIO_MMIO_MAGIC_VALUE).to_le_bytes(), *b"virt");
        assert_eq!(self.readl(VIRTIO_MMIO_VERSION), 2);
        assert_ne!(self.readl(VIRTIO_MMIO_DEVICE_ID), 0);
        self.writel(VIRTIO_MMIO_STATUS, 0);
        assert_eq!(self.status(), 0);
        self.writel(VIRTIO_MMIO_STATUS, ACKNOWLEDGE);
        self.writel(VIRTIO_MMIO_STATUS, DRIVER);
        self.writel(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
        let high = self.readl(VIRTIO_MMIO_DEVICE_FEATURES);
        self.writel(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
        let low = self.readl(VIRTIO_MMIO_DEVICE_FEATURES);
        assert_eq!((high, low), (HIGH, LOW));
        self.accept(high, low);
        self.writel(VIRTIO_MMIO_STATUS, FEATURES_OK);
        assert_eq!(self.status(), FEATURES_OK);
    }

    pub(super) fn accept(&mut self, high: u32, low: u32) {
        self.writel(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
        self.writel(VIRTIO_MMIO_DRIVER_FEATURES, high);
        self.writel(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
        self.writel(VIRTIO_MMIO_DRIVER_FEATURES, low);
    }

    /// `vm_setup_vq` for a queue of half of what is offered.
    pub(super) fn set_up(&mut self, index: u32) -> FakeDriver {
        self.writel(VIRTIO_MMIO_QUEUE_SEL, index);
        assert_eq!(self.readl(VIRTIO_MMIO_QUEUE_READY), 0, "the queue is free");
        let size = self.readl(VIRTIO_MMIO_QUEUE_NUM_MAX) as u16 / 2;
        let features = u64::from(HIGH) << 32 | u64::from(LOW);
        let driver = FakeDriver::new(&self.ram, FOOTPRINT * u64::from(index), size, features);
        let setup = driver.setup();
        self.writel(VIRTIO_MMIO_QUEUE_NUM, size.into());
        for (low, high, address) in [
            (VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH, setup.table),
            (VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, setup.available),
            (VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_QUEUE_USED_HIGH, setup.used),
        ] {
            self.writel(low, address.0 as u32);
            self.writel(high, (address.0 >> 32) as u32);
        }
        self.writel(VIRTIO_MMIO_QUEUE_READY, 1);
        assert_eq!(self.readl(VIRTIO_MMIO_QUEUE_READY), 1);
        driver
    }

    pub(super) fn boot(&mut self) -> [FakeDriver; 2] {
        self.negotiate();
        let drivers = [self.set_up(0), self.set_up(1)];
        self.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
        assert_eq!(self.status(), DRIVER_OK);
        drivers
    }

    pub(super) fn kick(&self, queue: usize) {
        self.transport.core().ports()[queue].kick.write(1).unwrap();
    }

    /// One request to its end, and its interrupt's.
    pub(super) fn echo(&mut self, driver: &mut FakeDriver, queue: usize) {
        driver.set_used_event(driver.available_index());
        driver.add(&[Part::Readable(b"echo"), Part::Writable(8)]).unwrap();
        self.kick(queue);
        until(|| self.line.read().is_ok());
        assert_eq!(self.readl(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
        self.writel(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
        assert_eq!(self.readl(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
        let used = driver.take_used().unwrap();
        assert_eq!((used.written, &used.data[..4]), (4, b"echo".as_slice()));
    }
}
