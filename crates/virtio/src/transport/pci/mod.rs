//! virtio-pci (VirtIO 1.3 § 4.1): a PCI function with one memory BAR and MSI-X.
//!
//! Configuration space and the pages with the common configuration and the MSI-X table are memory that
//! the guest reads without an exit. A kick is a write to a page without memory, which KVM turns into
//! an eventfd.
//!
//! ```text
//! BAR 0   +0x0000  common configuration; device configuration at +0x800     memory, read-only
//!         +0x1000  MSI-X table; pending bits at +0x800                      memory, read-only
//!         +0x2000  notifications, 4 bytes a queue                           eventfds
//!         +0x3000  ISR status                                               exits
//! ```

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};

use illico_memory::{GuestAddress, Ram, Window};

use crate::device::Device;
use crate::event_loop::LoopHandle;
use crate::interrupt::Interrupt;
use crate::queue::{Area, Half};
use crate::transport::core::{Core, InterruptLines, RegisterView};

mod config;
#[cfg(test)]
mod guest;
mod msix;
mod pin;

pub use config::ConfigSpace;
pub use msix::{MsixTable, Vectors};
use pin::InterruptPin;

/// Bytes of BAR 0.
pub const BAR_SIZE: u64 = 0x4000;
/// The part of it that is memory: the first two pages.
pub const BAR_MEMORY: usize = 0x2000;
/// Where kicks go.
pub const NOTIFY: u64 = 0x2000;
/// Bytes from one queue's notification address to the next one's.
pub const NOTIFY_STRIDE: u64 = 4;

const DEVICE_CONFIG: usize = 0x800;
const MSIX_TABLE: usize = 0x1000;
const MSIX_PENDING: usize = 0x1800;
/// As many as the table has room for. A device with more queues has too few for one each, and its
/// driver shares them: it reads the size of the table.
const MAX_VECTORS: usize = (MSIX_PENDING - MSIX_TABLE) / msix::ENTRY;
const ISR: u64 = 0x3000;

const ISR_QUEUE: u8 = 1;
const ISR_CONFIG: u8 = 2;

// The common configuration, § 4.1.4.3.
const DEVICE_FEATURE_SELECT: usize = 0x00;
const DEVICE_FEATURE: usize = 0x04;
const DRIVER_FEATURE_SELECT: usize = 0x08;
const DRIVER_FEATURE: usize = 0x0c;
const CONFIG_MSIX_VECTOR: usize = 0x10;
const NUM_QUEUES: usize = 0x12;
const DEVICE_STATUS: usize = 0x14;
const CONFIG_GENERATION: usize = 0x15;
const QUEUE_SELECT: usize = 0x16;
const QUEUE_SIZE: usize = 0x18;
const QUEUE_MSIX_VECTOR: usize = 0x1a;
const QUEUE_ENABLE: usize = 0x1c;
const QUEUE_NOTIFY_OFF: usize = 0x1e;
const QUEUE_DESC: usize = 0x20;
const QUEUE_DRIVER: usize = 0x28;
const QUEUE_DEVICE: usize = 0x30;

/// No interrupt for this event, § 4.1.5.1.2.
const NO_VECTOR: u16 = 0xffff;

/// Which vector each event of the device has, shared with the threads that raise them.
struct Routes {
    vectors: Arc<dyn Vectors>,
    pending: Window,
    config: AtomicU16,
    queues: Vec<AtomicU16>,
    /// Without MSI-X a driver asks the ISR register why.
    isr: AtomicU8,
    msix_enabled: AtomicBool,
    /// The function's pin, if it has no MSI-X.
    pin: OnceLock<InterruptPin>,
}

impl Routes {
    fn raise(&self, vector: u16, why: u8) {
        if !self.msix_enabled.load(Ordering::Acquire) {
            self.isr.fetch_or(why, Ordering::AcqRel);
            if let Some(pin) = self.pin.get() {
                pin.assert();
            }
        } else if vector != NO_VECTOR {
            msix::raise(self.vectors.as_ref(), &self.pending, vector);
        }
    }
}

impl InterruptLines for Routes {
    fn queue(&self, index: usize) {
        if let Some(vector) = self.queues.get(index) {
            self.raise(vector.load(Ordering::Acquire), ISR_QUEUE);
        }
    }

    /// § 4.1.4.5.1: the ISR status has the bit before the driver is notified, with MSI-X too.
    fn config(&self) {
        self.isr.fetch_or(ISR_CONFIG, Ordering::AcqRel);
        self.raise(self.config.load(Ordering::Acquire), ISR_CONFIG);
    }
}

/// A device that is a PCI function.
pub struct PciTransport {
    core: Core,
    config: ConfigSpace,
    memory: Window,
    routes: Arc<Routes>,
    table: MsixTable,
}

impl PciTransport {
    /// Makes a device a PCI function: `config` is its page of configuration space and `memory` the
    /// memory part of BAR 0, both read-only for the guest; `bar` is where BAR 0 lies at first.
    pub fn new(
        device: Box<dyn Device>,
        ram: Ram,
        loops: Vec<LoopHandle>,
        config: Window,
        memory: Window,
        bar: GuestAddress,
        vectors: Arc<dyn Vectors>,
    ) -> std::io::Result<Self> {
        assert_eq!(memory.len(), BAR_MEMORY, "the memory part of BAR 0 is two pages");
        let part = |offset, len| memory.part(offset, len).unwrap_or_else(|| unreachable!("inside of the BAR"));
        let queues = device.queue_sizes().len();
        let config = ConfigSpace::new(config, device.kind(), vector_count(queues), bar);
        let table = MsixTable::new(
            part(MSIX_TABLE, MSIX_PENDING - MSIX_TABLE),
            part(MSIX_PENDING, MAX_VECTORS / 8),
            vectors.clone(),
            vector_count(queues),
        );
        let routes = Arc::new(Routes {
            vectors,
            pending: part(MSIX_PENDING, MAX_VECTORS / 8),
            config: AtomicU16::new(NO_VECTOR),
            queues: (0..queues).map(|_| AtomicU16::new(NO_VECTOR)).collect(),
            isr: AtomicU8::new(0),
            msix_enabled: AtomicBool::new(false),
            pin: OnceLock::new(),
        });
        let shown = RegisterView {
            status: part(DEVICE_STATUS, 1),
            config: part(DEVICE_CONFIG, MSIX_TABLE - DEVICE_CONFIG),
            generation: part(CONFIG_GENERATION, 1),
        };
        let mut core = Core::new(device, ram, loops, Arc::clone(&routes) as Arc<dyn InterruptLines>, shown)?;
        core.set_may_reach_memory(config.is_bus_master());
        let mut transport = Self { core, config, memory, routes, table };
        transport.show();
        Ok(transport)
    }

    /// How many MSI-X vectors a device with `queues` queues has: one each and one for its
    /// configuration, where the table has room.
    pub fn vectors_for(queues: usize) -> u16 {
        vector_count(queues)
    }

    /// Changes what the device offers and where it counts, before a driver has looked.
    pub fn prepare(&mut self, change: impl FnOnce(&mut Core)) {
        change(&mut self.core);
        self.show();
    }

    /// Takes MSI-X away, before a driver has looked: interrupts are those of pin INTA#, wired to `line` as number
    /// `number`. Each interrupt then costs the driver an exit to ask what it was for, and to end it.
    pub fn use_pin(&mut self, line: Interrupt, number: u8) {
        let pin = InterruptPin::new(self.config.replace_msix_by_pin(number), line);
        // A second pin would be a mistake of ours that changes nothing.
        let _ = self.routes.pin.set(pin);
    }

    /// The registers behind it.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Resets the device, as a driver does by writing 0 to the status register.
    pub fn reset(&mut self) {
        self.write_status(0);
        self.show();
    }

    /// Where the driver has put BAR 0, or `None` while it does not decode.
    pub fn bar(&self) -> Option<GuestAddress> {
        self.config.bar()
    }

    /// A write to configuration space, at an offset of the function's page.
    pub fn write_config_space(&mut self, offset: u64, bytes: &[u8]) {
        let Ok(offset) = usize::try_from(offset) else { return };
        self.config.write(offset, bytes);
        self.core.set_may_reach_memory(self.config.is_bus_master());
        let (enabled, masked) = self.config.msix();
        self.routes.msix_enabled.store(enabled, Ordering::Release);
        self.table.set_function(enabled, masked);
        if let Some(pin) = self.routes.pin.get() {
            pin.follow(&self.routes.isr);
        }
        if let Some(access) = self.config.window().filter(|_| ConfigSpace::is_window_data(offset, bytes.len())) {
            let mut data = [0; 4];
            let data = &mut data[..access.len];
            self.config.window_data(data);
            self.write_bar(access.offset.into(), data);
        }
    }

    /// Whether reads of configuration space have effects, and so must exit: the access window is set (§ 4.1.4.9).
    pub fn has_open_window(&self) -> bool {
        self.config.window().is_some()
    }

    /// A read of configuration space that exits. Reading the data of the access window reads BAR 0, then and not
    /// before (§ 4.1.4.9.1).
    pub fn read_config_space(&mut self, offset: u64, out: &mut [u8]) {
        let inside = |offset: &usize| offset.checked_add(out.len()).is_some_and(|end| end <= self.config.len());
        let Some(offset) = usize::try_from(offset).ok().filter(inside) else {
            out.fill(0xff);
            return;
        };
        if let Some(access) = self.config.window().filter(|_| ConfigSpace::is_window_data(offset, out.len())) {
            let mut data = [0; 4];
            let data = &mut data[..access.len];
            self.read_bar(access.offset.into(), data);
            self.config.show_window_data(data);
        }
        self.config.copy_to(offset, out);
    }

    /// A read of BAR 0 that the guest did not make from memory.
    pub fn read_bar(&mut self, offset: u64, out: &mut [u8]) {
        out.fill(0);
        if offset == ISR {
            // Reading acknowledges, § 4.1.4.5.
            if let Some(byte) = out.first_mut() {
                *byte = self.routes.isr.swap(0, Ordering::AcqRel);
            }
            if let Some(pin) = self.routes.pin.get() {
                pin.follow(&self.routes.isr);
            }
        } else if let Ok(offset) = usize::try_from(offset)
            && offset.checked_add(out.len()).is_some_and(|end| end <= BAR_MEMORY)
        {
            self.memory.copy_to(offset, out);
        }
    }

    /// A write to BAR 0. Kicks come here only from a driver that uses the configuration window.
    pub fn write_bar(&mut self, offset: u64, bytes: &[u8]) {
        if (NOTIFY..ISR).contains(&offset) {
            if let Some(port) = self.core.ports().get(((offset - NOTIFY) / NOTIFY_STRIDE) as usize) {
                crate::interrupt::signal(&port.kick);
            }
            return;
        }
        let Ok(offset) = usize::try_from(offset) else { return };
        match offset {
            0..DEVICE_CONFIG => self.write_common(offset, bytes),
            DEVICE_CONFIG..MSIX_TABLE => self.core.write_config(offset - DEVICE_CONFIG, bytes),
            MSIX_TABLE..MSIX_PENDING => self.table.write(offset - MSIX_TABLE, bytes),
            _ => {}
        }
    }

    fn write_common(&mut self, offset: usize, bytes: &[u8]) {
        let mut value = [0; 8];
        let Some(low) = value.get_mut(..bytes.len()) else { return };
        low.copy_from_slice(bytes);
        let value = u64::from_le_bytes(value);
        // Fields are accessed at their width (§ 4.1.3.1); 64-bit ones also half by half.
        match (offset, bytes.len()) {
            (DEVICE_FEATURE_SELECT, 4) => self.core.features_mut().select_device(value as u32),
            (DRIVER_FEATURE_SELECT, 4) => self.core.features_mut().select_driver(value as u32),
            (DRIVER_FEATURE, 4) => self.core.write_driver_features(value as u32),
            (CONFIG_MSIX_VECTOR, 2) => self.routes.config.store(self.valid_vector(value), Ordering::Release),
            (DEVICE_STATUS, 1) => self.write_status(value as u8),
            (QUEUE_SELECT, 2) => self.core.select_queue(value as u16),
            (QUEUE_SIZE, 2) => self.core.write_queue_size(value as u16),
            (QUEUE_MSIX_VECTOR, 2) => {
                let vector = self.valid_vector(value);
                if let Some(route) = self.routes.queues.get(usize::from(self.core.queue_select())) {
                    route.store(vector, Ordering::Release);
                }
            }
            (QUEUE_ENABLE, 2) if value == 1 => self.core.enable_queue(),
            (QUEUE_DESC..0x38, 4 | 8) => self.write_queue_address(offset, bytes.len(), value),
            _ => {}
        }
        self.show();
    }

    fn write_queue_address(&mut self, offset: usize, width: usize, value: u64) {
        let area = match offset & !7 {
            QUEUE_DESC => Area::Table,
            QUEUE_DRIVER => Area::Available,
            QUEUE_DEVICE => Area::Used,
            _ => return,
        };
        match (offset % 8, width) {
            (0, 8) => {
                self.core.write_queue_address(area, Half::Low, value as u32);
                self.core.write_queue_address(area, Half::High, (value >> 32) as u32);
            }
            (0, 4) => self.core.write_queue_address(area, Half::Low, value as u32),
            (4, 4) => self.core.write_queue_address(area, Half::High, value as u32),
            _ => {}
        }
    }

    fn write_status(&mut self, value: u8) {
        self.core.write_status(value);
        if value == 0 {
            self.routes.config.store(NO_VECTOR, Ordering::Release);
            for queue in &self.routes.queues {
                queue.store(NO_VECTOR, Ordering::Release);
            }
            self.routes.isr.store(0, Ordering::Release);
            if let Some(pin) = self.routes.pin.get() {
                pin.follow(&self.routes.isr);
            }
        }
    }

    /// A vector that exists, or none: a driver reads the register back to see which (§ 4.1.5.1.2.1).
    fn valid_vector(&self, value: u64) -> u16 {
        u16::try_from(value).ok().filter(|&vector| vector < self.table.len()).unwrap_or(NO_VECTOR)
    }

    /// Brings the readable registers up to date. Status and generation have writers of their own.
    fn show(&mut self) {
        let (core, page) = (&self.core, &self.memory);
        page.store_u32(DEVICE_FEATURE_SELECT, core.features().device_select(), Ordering::Relaxed);
        page.store_u32(DEVICE_FEATURE, core.features().device(), Ordering::Relaxed);
        page.store_u32(DRIVER_FEATURE_SELECT, core.features().driver_select(), Ordering::Relaxed);
        page.store_u32(DRIVER_FEATURE, core.features().driver(), Ordering::Relaxed);
        page.store_u16(CONFIG_MSIX_VECTOR, self.routes.config.load(Ordering::Acquire), Ordering::Relaxed);
        page.store_u16(NUM_QUEUES, core.queue_count(), Ordering::Relaxed);
        page.store_u16(QUEUE_SELECT, core.queue_select(), Ordering::Relaxed);
        let route = self.routes.queues.get(usize::from(core.queue_select()));
        let vector = route.map_or(NO_VECTOR, |route| route.load(Ordering::Acquire));
        page.store_u16(QUEUE_MSIX_VECTOR, vector, Ordering::Relaxed);
        let (size, ready, addresses) = match core.queue() {
            Some(queue) => (queue.size, queue.ready, [queue.table, queue.available, queue.used]),
            None => (0, false, [GuestAddress(0); 3]),
        };
        page.store_u16(QUEUE_SIZE, size, Ordering::Relaxed);
        page.store_u16(QUEUE_ENABLE, ready.into(), Ordering::Relaxed);
        page.store_u16(QUEUE_NOTIFY_OFF, core.queue_select(), Ordering::Relaxed);
        for (offset, address) in [QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE].into_iter().zip(addresses) {
            page.store_u32(offset, address.0 as u32, Ordering::Relaxed);
            page.store_u32(offset + 4, (address.0 >> 32) as u32, Ordering::Relaxed);
        }
    }
}

fn vector_count(queues: usize) -> u16 {
    (queues + 1).min(MAX_VECTORS) as u16
}

impl std::fmt::Debug for PciTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PciTransport({:?}, BAR 0 at {:?})", self.core, self.bar())
    }
}

#[cfg(test)]
#[path = "pci_test.rs"]
mod tests;
