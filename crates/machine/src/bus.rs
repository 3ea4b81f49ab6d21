//! Which device answers at which port and which address. Frozen before the first vCPU runs.
//!
//! What comes here is an exit: memory that the guest reads (configuration space, register pages, the
//! IOAPIC) does not, and neither do kicks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use illico_memory::GuestAddress;

use crate::exits::Party;
use crate::legacy::acpi_ports::{self, Wish};
use crate::legacy::ioapic::{self, Ioapic};
use crate::legacy::rtc::{self, Rtc};
use crate::legacy::serial::{self, Serial};
use crate::mmio::MmioBus;
use crate::pci::{self, PciBus};

/// Everything that answers exits.
#[derive(Debug)]
pub struct Bus {
    /// Devices over virtio-pci.
    pub pci: Option<PciBus>,
    /// Devices over virtio-mmio.
    pub mmio: Option<MmioBus>,
    /// The IOAPIC: every machine has a power button, which is a line interrupt.
    pub ioapic: Mutex<Ioapic>,
    /// The witness.
    pub serial: Option<Mutex<Serial>>,
    /// The clock.
    pub rtc: Option<Mutex<Rtc>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// Bytes arrive at the UART from outside.
    pub fn type_into_uart(&self, bytes: &[u8]) {
        if let Some(serial) = &self.serial {
            lock(serial).input(bytes);
        }
    }

    /// A read from memory that is none: all ones where nobody answers.
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
        if let Some(offset) = inside(at, ioapic::BASE, ioapic::SIZE as u64) {
            let value = lock(&self.ioapic).read(offset as usize).to_le_bytes();
            for (out, byte) in out.iter_mut().zip(value) {
                *out = byte;
            }
            return Party::Ioapic;
        }
        if let (Some(bus), Some(offset)) = (&self.pci, inside(at, pci::ECAM, pci::ECAM_SIZE)) {
            bus.read_config(offset, out);
            return Party::PciConfig;
        }
        Party::Nobody
    }

    /// A write to memory that is none.
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
        if let Some(offset) = inside(at, ioapic::BASE, ioapic::SIZE as u64) {
            let mut value = [0; 4];
            if let Some(value) = value.get_mut(..bytes.len()) {
                value.copy_from_slice(bytes);
            }
            lock(&self.ioapic).write(offset as usize, u32::from_le_bytes(value));
            return Party::Ioapic;
        }
        Party::Nobody
    }

    fn find_mmio(&self, at: GuestAddress) -> Option<(&MmioBus, usize, u64)> {
        let bus = self.mmio.as_ref()?;
        bus.find(at).map(|(index, offset)| (bus, index, offset))
    }

    /// A read from a port: all ones where nobody answers.
    pub fn read_port(&self, port: u16) -> (u32, Party) {
        if let Some(value) = acpi_ports::read(port) {
            return (value.into(), Party::Acpi);
        }
        if let (Some(serial), Some(offset @ 0..serial::PORTS)) = (&self.serial, port.checked_sub(serial::PORT)) {
            return (lock(serial).read(offset as u8).into(), Party::Uart);
        }
        if let (Some(rtc), Some(offset @ 0..rtc::PORTS)) = (&self.rtc, port.checked_sub(rtc::PORT)) {
            return (lock(rtc).read(offset as u8).into(), Party::Rtc);
        }
        (u32::MAX, Party::Nobody)
    }

    /// A write to a port, and what the guest asks for by it.
    pub fn write_port(&self, port: u16, value: u32) -> (Option<Wish>, Party) {
        if acpi_ports::read(port).is_some() {
            return (acpi_ports::write(port, value as u8), Party::Acpi);
        }
        if let (Some(serial), Some(offset @ 0..serial::PORTS)) = (&self.serial, port.checked_sub(serial::PORT)) {
            lock(serial).write(offset as u8, value as u8);
            return (None, Party::Uart);
        }
        if let (Some(rtc), Some(offset @ 0..rtc::PORTS)) = (&self.rtc, port.checked_sub(rtc::PORT)) {
            lock(rtc).write(offset as u8, value as u8);
            return (None, Party::Rtc);
        }
        (None, Party::Nobody)
    }

    /// Takes every device off its queues: when this returns nobody touches guest memory any more.
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
