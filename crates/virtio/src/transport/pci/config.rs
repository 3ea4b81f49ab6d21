//! The configuration space of a virtio function (VirtIO 1.3 § 4.1.2, § 4.1.4; PCI Local Bus 3.0 § 6.1).
//!
//! The page is memory that the guest reads without an exit; a write exits and comes here, where only
//! the bits that a driver may change do change.

use std::sync::atomic::Ordering;

use illico_memory::{GuestAddress, Window};

use super::{BAR_SIZE, DEVICE_CONFIG, ISR, MSIX_PENDING, MSIX_TABLE, NOTIFY, NOTIFY_STRIDE};
use crate::spec::Kind;

const VENDOR: u16 = 0x1af4;
/// Plus the device id, § 4.1.2.1.
const DEVICE_BASE: u16 = 0x1040;

pub(super) const COMMAND: usize = 0x04;
const STATUS: usize = 0x06;
const REVISION: usize = 0x08;
const CACHE_LINE: usize = 0x0c;
const BAR0: usize = 0x10;
const SUBSYSTEM_VENDOR: usize = 0x2c;
const SUBSYSTEM: usize = 0x2e;
const CAPABILITIES: usize = 0x34;
/// Followed by the interrupt pin.
const INTERRUPT_LINE: usize = 0x3c;
/// InterruptPin A of four, the first one that a function with a single pin uses.
const INTA: u8 = 1;

const COMMAND_MEMORY: u16 = 1 << 1;
const COMMAND_BUS_MASTER: u16 = 1 << 2;
/// Memory decoding, bus mastering, and no INTx.
const COMMAND_WRITABLE: u16 = COMMAND_MEMORY | COMMAND_BUS_MASTER | 1 << 10;
const STATUS_CAPABILITIES: u16 = 1 << 4;
/// In the BAR: 64 bits wide, not prefetchable.
const BAR_64BIT: u32 = 0b100;

const MSIX: usize = 0x40;
const MSIX_CONTROL: usize = MSIX + 2;
const MSIX_ENABLE: u16 = 1 << 15;
const MSIX_MASK: u16 = 1 << 14;

// virtio capabilities, § 4.1.4: 16 bytes each, 20 for notifications and the access window.
const CAP_COMMON: usize = 0x50;
const CAP_NOTIFY: usize = 0x60;
const CAP_ISR: usize = 0x74;
const CAP_DEVICE: usize = 0x84;
const CAP_WINDOW: usize = 0x94;
const WINDOW_BAR: usize = CAP_WINDOW + 4;
const WINDOW_OFFSET: usize = CAP_WINDOW + 8;
const WINDOW_LENGTH: usize = CAP_WINDOW + 12;
const WINDOW_DATA: usize = CAP_WINDOW + 16;
const WINDOW_END: usize = CAP_WINDOW + 20;

/// An access to BAR 0 by way of configuration space, § 4.1.4.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WindowAccess {
    pub(super) offset: u32,
    pub(super) len: usize,
}

/// The page, and which bits of it a driver may change.
#[derive(Debug)]
pub struct ConfigSpace {
    page: Window,
    msix: bool,
}

impl ConfigSpace {
    /// Fills the page of a device of `kind` with `vectors` MSI-X vectors and BAR 0 at `bar`.
    ///
    /// BAR 0 has its address but does not decode yet: a guest that sizes BARs switches decoding off and
    /// on around each of them, and both are exits, unless it is off already. Drivers switch it on.
    pub fn new(page: Window, kind: Kind, vectors: u16, bar: GuestAddress) -> Self {
        page.fill(0, page.len(), 0);
        let half = |offset, value| page.store_u16(offset, value, Ordering::Relaxed);
        let word = |offset, value| page.store_u32(offset, value, Ordering::Relaxed);
        half(0, VENDOR);
        half(2, DEVICE_BASE + kind.id);
        half(STATUS, STATUS_CAPABILITIES);
        let [class, subclass, interface] = kind.pci_class;
        // Revision 1 or higher says: not transitional, § 4.1.2.1.
        page.copy_from(REVISION, &[1, interface, subclass, class]);
        word(BAR0, bar.0 as u32 | BAR_64BIT);
        word(BAR0 + 4, (bar.0 >> 32) as u32);
        half(SUBSYSTEM_VENDOR, VENDOR);
        half(SUBSYSTEM, DEVICE_BASE + kind.id);
        page.store_u8(CAPABILITIES, MSIX as u8, Ordering::Relaxed);

        page.copy_from(MSIX, &[0x11, CAP_COMMON as u8]);
        half(MSIX_CONTROL, vectors - 1);
        word(MSIX + 4, MSIX_TABLE as u32);
        word(MSIX + 8, MSIX_PENDING as u32);

        let capability = |at: usize, next: usize, len: u8, kind: u8, offset: u64, size: u64| {
            page.copy_from(at, &[0x09, next as u8, len, kind]);
            word(at + 8, offset as u32);
            word(at + 12, size as u32);
        };
        capability(CAP_COMMON, CAP_NOTIFY, 16, 1, 0, 0x40);
        capability(CAP_NOTIFY, CAP_ISR, 20, 2, NOTIFY, ISR - NOTIFY);
        word(CAP_NOTIFY + 16, NOTIFY_STRIDE as u32);
        capability(CAP_ISR, CAP_DEVICE, 16, 3, ISR, 4);
        capability(CAP_DEVICE, CAP_WINDOW, 16, 4, DEVICE_CONFIG as u64, (MSIX_TABLE - DEVICE_CONFIG) as u64);
        capability(CAP_WINDOW, 0, 20, 5, 0, 0);
        Self { page, msix: true }
    }

    /// Takes the MSI-X capability out and says that there is an interrupt pin, wired to line `number`. Gives the page,
    /// where the pin has bits of its own.
    pub(super) fn replace_msix_by_pin(&mut self, number: u8) -> Window {
        self.msix = false;
        self.page.fill(MSIX, CAP_COMMON - MSIX, 0);
        self.page.store_u8(CAPABILITIES, CAP_COMMON as u8, Ordering::Relaxed);
        self.page.copy_from(INTERRUPT_LINE, &[number, INTA]);
        self.page.clone()
    }

    /// A write of the driver; bits that it may not change stay.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        for (offset, &byte) in (offset..self.page.len()).zip(bytes) {
            let mask = if self.msix || !(MSIX..CAP_COMMON).contains(&offset) { writable(offset) } else { 0 };
            if mask != 0 {
                let old = self.page.load_u8(offset, Ordering::Relaxed);
                self.page.store_u8(offset, old & !mask | byte & mask, Ordering::Relaxed);
            }
        }
    }

    /// Where BAR 0 is, if it decodes.
    pub(super) fn bar(&self) -> Option<GuestAddress> {
        let command = self.page.load_u16(COMMAND, Ordering::Relaxed);
        let low = self.page.load_u32(BAR0, Ordering::Relaxed) & !0xf;
        let high = self.page.load_u32(BAR0 + 4, Ordering::Relaxed);
        let address = u64::from(low) | u64::from(high) << 32;
        (command & COMMAND_MEMORY != 0).then_some(GuestAddress(address))
    }

    /// Whether the function may reach guest memory.
    pub(super) fn is_bus_master(&self) -> bool {
        self.page.load_u16(COMMAND, Ordering::Relaxed) & COMMAND_BUS_MASTER != 0
    }

    /// Whether MSI-X is enabled, and whether all of it is masked.
    pub(super) fn msix(&self) -> (bool, bool) {
        let control = self.page.load_u16(MSIX_CONTROL, Ordering::Relaxed);
        (control & MSIX_ENABLE != 0, control & MSIX_MASK != 0)
    }

    /// Whether `len` bytes at `offset` reach into the data of the access window.
    pub(super) fn is_window_data(offset: usize, len: usize) -> bool {
        offset < WINDOW_END && offset.saturating_add(len) > WINDOW_DATA
    }

    /// The part of BAR 0 that the access window shows, if it is set to one.
    pub(super) fn window(&self) -> Option<WindowAccess> {
        let len = self.page.load_u32(WINDOW_LENGTH, Ordering::Relaxed);
        let offset_in_bar = self.page.load_u32(WINDOW_OFFSET, Ordering::Relaxed);
        let valid = self.page.load_u8(WINDOW_BAR, Ordering::Relaxed) == 0
            && matches!(len, 1 | 2 | 4)
            && offset_in_bar.is_multiple_of(len)
            && u64::from(offset_in_bar) + u64::from(len) <= BAR_SIZE;
        valid.then_some(WindowAccess { offset: offset_in_bar, len: len as usize })
    }

    pub(super) fn window_data(&self, out: &mut [u8]) {
        self.page.copy_to(WINDOW_DATA, out);
    }

    pub(super) fn copy_to(&self, offset: usize, out: &mut [u8]) {
        self.page.copy_to(offset, out);
    }

    pub(super) fn len(&self) -> usize {
        self.page.len()
    }

    pub(super) fn show_window_data(&self, data: &[u8]) {
        self.page.copy_from(WINDOW_DATA, data);
    }
}

/// Which bits of the byte at `offset` a driver may change.
fn writable(offset: usize) -> u8 {
    let byte_of = |value: u32, first: usize| value.to_le_bytes()[offset - first];
    match offset {
        COMMAND..STATUS => byte_of(COMMAND_WRITABLE.into(), COMMAND),
        CACHE_LINE | INTERRUPT_LINE => 0xff,
        BAR0..0x14 => byte_of(!(BAR_SIZE as u32 - 1), BAR0),
        0x14..0x18 => 0xff,
        MSIX_CONTROL..0x44 => byte_of((MSIX_ENABLE | MSIX_MASK).into(), MSIX_CONTROL),
        WINDOW_BAR | WINDOW_OFFSET..WINDOW_END => 0xff,
        _ => 0,
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
