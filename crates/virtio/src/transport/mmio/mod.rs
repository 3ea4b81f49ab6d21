//! virtio-mmio, version 2 (VirtIO 1.3 § 4.2): one page of 32-bit registers.
//!
//! The page itself is memory that the guest reads without an exit, the interrupt status included, so
//! an interrupt costs one exit (its acknowledgement) where it is usually two.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use illico_memory::{Ram, Window};
use vmm_sys_util::eventfd::EventFd;

use crate::device::Device;
use crate::event_loop::LoopHandle;
use crate::interrupt::signal;
use crate::queue::{Area, Half};
use crate::transport::core::{Core, InterruptLines, RegisterView};

#[cfg(test)]
mod guest;

/// Bytes of the register page.
pub const PAGE: usize = 0x1000;
/// Where a driver kicks, with the number of the queue.
pub const QUEUE_NOTIFY: u64 = NOTIFY as u64;

const MAGIC: usize = 0x00;
const VERSION: usize = 0x04;
const DEVICE_ID: usize = 0x08;
const VENDOR_ID: usize = 0x0c;
const DEVICE_FEATURES: usize = 0x10;
const DEVICE_FEATURES_SEL: usize = 0x14;
const DRIVER_FEATURES: usize = 0x20;
const DRIVER_FEATURES_SEL: usize = 0x24;
const QUEUE_SEL: usize = 0x30;
const QUEUE_SIZE_MAX: usize = 0x34;
const QUEUE_SIZE: usize = 0x38;
const QUEUE_READY: usize = 0x44;
const NOTIFY: usize = 0x50;
const INTERRUPT_STATUS: usize = 0x60;
const INTERRUPT_ACK: usize = 0x64;
const STATUS: usize = 0x70;
const QUEUE_DESC_LOW: usize = 0x80;
const QUEUE_DESC_HIGH: usize = 0x84;
const QUEUE_DRIVER_LOW: usize = 0x90;
const QUEUE_DRIVER_HIGH: usize = 0x94;
const QUEUE_DEVICE_LOW: usize = 0xa0;
const QUEUE_DEVICE_HIGH: usize = 0xa4;
const SHM_LEN_LOW: usize = 0xb0;
const SHM_BASE_HIGH: usize = 0xbc;
const CONFIG_GENERATION: usize = 0xfc;
const CONFIG: usize = 0x100;

const INTERRUPT_QUEUE: u32 = 1;
const INTERRUPT_CONFIG: u32 = 2;

/// One interrupt line, and the register that says why it was raised.
struct Line {
    page: Window,
    event: EventFd,
}

impl Line {
    fn raise(&self, why: u32) {
        self.page.fetch_or_u32(INTERRUPT_STATUS, why);
        signal(&self.event);
    }
}

impl InterruptLines for Line {
    fn queue(&self, _index: usize) {
        self.raise(INTERRUPT_QUEUE);
    }

    fn config(&self) {
        self.raise(INTERRUPT_CONFIG);
    }
}

/// A device behind a register page.
#[derive(Debug)]
pub struct MmioTransport {
    core: Core,
    page: Window,
}

impl MmioTransport {
    /// Puts a device behind `page`, which the guest must see read-only, with `line` as its interrupt.
    pub fn new(
        device: Box<dyn Device>,
        ram: Ram,
        loops: Vec<LoopHandle>,
        page: Window,
        line: EventFd,
    ) -> std::io::Result<Self> {
        assert_eq!(page.len(), PAGE, "a register page is a page");
        let part = |offset, len| page.part(offset, len).unwrap_or_else(|| unreachable!("inside of a page"));
        let shown = RegisterView {
            status: part(STATUS, 1),
            config: part(CONFIG, PAGE - CONFIG),
            generation: part(CONFIG_GENERATION, 1),
        };
        let lines = Arc::new(Line { page: page.clone(), event: line });
        let core = Core::new(device, ram, loops, lines, shown)?;
        let registers = [
            (MAGIC, u32::from_le_bytes(*b"virt")),
            (VERSION, 2),
            (DEVICE_ID, core.kind().id.into()),
            (VENDOR_ID, u32::from_le_bytes(*b"illi")),
        ];
        for (offset, value) in registers {
            page.store_u32(offset, value, Ordering::Relaxed);
        }
        // No shared memory regions: their length and base read as all ones (§ 4.2.2).
        page.fill(SHM_LEN_LOW, SHM_BASE_HIGH + 4 - SHM_LEN_LOW, 0xff);
        let transport = Self { core, page };
        transport.show();
        Ok(transport)
    }

    /// The registers behind the page.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Changes what the device offers and where it counts, before a driver has looked.
    pub fn prepare(&mut self, change: impl FnOnce(&mut Core)) {
        change(&mut self.core);
        self.show();
    }

    /// Resets the device, as a driver does by writing 0 to the status register.
    pub fn reset(&mut self) {
        self.write_register(STATUS, 0);
        self.show();
    }

    /// What the guest reads without an exit, for a host that exits all the same.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        match usize::try_from(offset) {
            Ok(offset) if offset < PAGE && out.len() <= PAGE - offset => self.page.copy_to(offset, out),
            _ => out.fill(0),
        }
    }

    /// A write of the driver, which is an exit. Few kicks come here: most are eventfds.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        let Ok(offset) = usize::try_from(offset) else { return };
        if offset >= CONFIG {
            self.core.write_config(offset - CONFIG, bytes);
            return;
        }
        // Registers are 32 bits wide and written whole (§ 4.2.2.2).
        let Ok(bytes) = bytes.try_into() else { return };
        self.write_register(offset, u32::from_le_bytes(bytes));
        self.show();
    }

    fn write_register(&mut self, offset: usize, value: u32) {
        let core = &mut self.core;
        match offset {
            DEVICE_FEATURES_SEL => core.features_mut().select_device(value),
            DRIVER_FEATURES => core.write_driver_features(value),
            DRIVER_FEATURES_SEL => core.features_mut().select_driver(value),
            // A queue that cannot exist is shown like one that does not.
            QUEUE_SEL => core.select_queue(u16::try_from(value).unwrap_or(u16::MAX)),
            QUEUE_SIZE => core.write_queue_size(u16::try_from(value).unwrap_or(0)),
            QUEUE_READY if value & 1 == 1 => core.enable_queue(),
            QUEUE_READY => core.disable_queue(),
            NOTIFY => {
                // An eventfd takes kicks from when the driver is ready; one that comes up is as good.
                if let Some(port) = core.ports().get(value as usize) {
                    signal(&port.kick);
                }
            }
            INTERRUPT_ACK => {
                self.page.fetch_and_u32(INTERRUPT_STATUS, !value);
            }
            STATUS => {
                // Only the low byte is defined (§ 2.1): the rest neither resets nor keeps from it.
                core.write_status(value as u8);
                if value as u8 == 0 {
                    self.page.fetch_and_u32(INTERRUPT_STATUS, 0);
                }
            }
            QUEUE_DESC_LOW => core.write_queue_address(Area::Table, Half::Low, value),
            QUEUE_DESC_HIGH => core.write_queue_address(Area::Table, Half::High, value),
            QUEUE_DRIVER_LOW => core.write_queue_address(Area::Available, Half::Low, value),
            QUEUE_DRIVER_HIGH => core.write_queue_address(Area::Available, Half::High, value),
            QUEUE_DEVICE_LOW => core.write_queue_address(Area::Used, Half::Low, value),
            QUEUE_DEVICE_HIGH => core.write_queue_address(Area::Used, Half::High, value),
            _ => {}
        }
    }

    /// Brings the readable registers up to date with the selectors.
    fn show(&self) {
        let queue = self.core.queue();
        let registers = [
            (DEVICE_FEATURES, self.core.features().device()),
            (QUEUE_SIZE_MAX, queue.map_or(0, |queue| queue.max_size.into())),
            (QUEUE_READY, queue.is_some_and(|queue| queue.ready).into()),
        ];
        for (offset, value) in registers {
            self.page.store_u32(offset, value, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[path = "mmio_test.rs"]
mod tests;
