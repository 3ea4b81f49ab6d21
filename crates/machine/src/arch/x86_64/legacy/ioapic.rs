//! An IOAPIC (Intel 82093AA datasheet § 3) with as few pins as there are line interrupts.
//!
//! A guest walks all pins again and again while it boots, and each register access through the usual
//! pair of index and data would be two exits. Here the registers are a page that the guest reads as
//! memory: only writes exit. Pins are edge-triggered, as the ACPI tables say of all but the pins of PCI
//! functions without MSI-X. A pin that a guest makes level-triggered is one for the local APIC, which reports its end by an
//! exit; nothing is raised again then, because each event raises the pin anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use illico_memory::GuestAddress;
use illico_virtio::interrupt::MsiMessage;

use crate::irq::Irqs;
use crate::lazy_slot::LazySlot;

/// Where it is: the address every PC has it at.
pub const BASE: GuestAddress = GuestAddress(0xfec0_0000);
/// Bytes that it decodes.
pub const SIZE: usize = 0x1000;

const SELECT: usize = 0x00;
const DATA: usize = 0x10;

const REGISTER_ID: u32 = 0;
const REGISTER_VERSION: u32 = 1;
const REGISTER_ARBITRATION: u32 = 2;
const REGISTER_PINS: u32 = 0x10;
const VERSION: u32 = 0x11;

const MASKED: u64 = 1 << 16;
const LEVEL: u64 = 1 << 15;
/// Delivery status and remote IRR are not the guest's to write.
const READ_ONLY: u64 = 1 << 12 | 1 << 14;

/// The registers behind the page.
#[derive(Debug)]
pub struct Ioapic {
    page: LazySlot,
    irqs: Arc<Irqs>,
    id: u32,
    select: u32,
    pins: Vec<u64>,
}

impl Ioapic {
    /// `pins` pins, all masked, which are the first GSIs of `irqs`. The guest sees `page` from its first look on.
    pub fn new(page: LazySlot, irqs: Arc<Irqs>, pins: u32) -> Self {
        let ioapic = Self { page, irqs, id: 0, select: 0, pins: vec![MASKED; pins as usize] };
        ioapic.show();
        ioapic
    }

    /// A read: the first, or on a host that exits for all.
    pub fn read(&self, offset: usize) -> u32 {
        self.page.touch();
        match offset {
            SELECT => self.select,
            DATA => self.value(),
            _ => 0,
        }
    }

    /// A write of the guest.
    pub fn write(&mut self, offset: usize, value: u32) {
        self.page.touch();
        match offset {
            SELECT => self.select = value & 0xff,
            DATA => self.set(value),
            _ => {}
        }
        self.show();
    }

    fn value(&self) -> u32 {
        match self.select {
            REGISTER_ID | REGISTER_ARBITRATION => self.id,
            REGISTER_VERSION => VERSION | (self.pins.len() as u32).saturating_sub(1) << 16,
            _ => self.pin().map_or(0, |(pin, shift)| (self.pins[pin] >> shift) as u32),
        }
    }

    /// The pin that is selected, and the first bit of the selected half of its entry.
    fn pin(&self) -> Option<(usize, u32)> {
        let register = self.select.checked_sub(REGISTER_PINS)?;
        let pin = (register / 2) as usize;
        (pin < self.pins.len()).then_some((pin, register % 2 * 32))
    }

    fn set(&mut self, value: u32) {
        if self.select == REGISTER_ID {
            self.id = value & 0x0f00_0000;
        }
        let Some((pin, shift)) = self.pin() else { return };
        let kept = self.pins[pin] & !(0xffff_ffff << shift);
        let entry = (kept | u64::from(value) << shift) & !READ_ONLY;
        if self.pins[pin] != entry {
            self.pins[pin] = entry;
            self.irqs.route(pin as u32, (entry & MASKED == 0).then(|| message(entry)));
        }
    }

    fn show(&self) {
        let page = self.page.window();
        page.store_u32(SELECT, self.select, Ordering::Relaxed);
        page.store_u32(DATA, self.value(), Ordering::Relaxed);
    }
}

/// The message that a redirection entry stands for (Intel SDM vol. 3, § 11.11): destination and its
/// mode into the address; vector, delivery mode and trigger mode into the data.
fn message(entry: u64) -> MsiMessage {
    let destination = entry >> 56;
    let logical = entry >> 11 & 1;
    let vector_and_delivery = (entry & 0x7ff) as u32;
    // A level that is asserted. Linux checks that the local APIC took it for one, and otherwise repairs the pin with many writes.
    let trigger = if entry & LEVEL == 0 { 0 } else { 1 << 15 | 1 << 14 };
    MsiMessage { address: 0xfee0_0000 | destination << 12 | logical << 2, data: vector_and_delivery | trigger }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_entry_is_a_message() {
        let physical = 0x0300_0000_0000_0031;
        assert_eq!(message(physical), MsiMessage { address: 0xfee0_3000, data: 0x31 });
        let logical_lowest_priority = 0xff00_0000_0000_0931;
        assert_eq!(message(logical_lowest_priority), MsiMessage { address: 0xfeef_f004, data: 0x131 });
        let level_active_low = 0xa031;
        assert_eq!(message(level_active_low), MsiMessage { address: 0xfee0_0000, data: 0xc031 });
    }
}
