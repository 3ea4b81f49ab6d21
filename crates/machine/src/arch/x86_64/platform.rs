//! The parts of the platform that answer exits: the IOAPIC, the ports of hardware-reduced ACPI, and, where a person asks for
//! them, a UART and a real-time clock.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use illico_memory::{GuestAddress, MapError, Mapping, Pages};

use super::kvm::PlatformExit;
use super::legacy::acpi_ports::{self, PowerRequest};
use super::legacy::ioapic::{self, Ioapic};
use super::legacy::rtc::{self, Rtc};
use super::legacy::serial::{self, Serial};
use crate::irq::Irqs;
use crate::kvm::{Entry, Vm};
use crate::lazy_slot::LazySlot;

/// A part of the platform, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The IOAPIC.
    Ioapic,
    /// The sleep, reset and panic registers.
    Acpi,
    /// The UART.
    Uart,
    /// The real-time clock.
    Rtc,
}

impl Part {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Ioapic, Self::Acpi, Self::Uart, Self::Rtc];

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ioapic => "ioapic",
            Self::Acpi => "acpi",
            Self::Uart => "uart",
            Self::Rtc => "rtc",
        }
    }
}

/// A way to reach a device that is not MMIO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformAccess {
    /// `in`
    PortRead,
    /// `out`
    PortWrite,
}

impl PlatformAccess {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 2] = [Self::PortRead, Self::PortWrite];

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::PortRead => "port-read",
            Self::PortWrite => "port-write",
        }
    }
}

/// What became of a [`PlatformExit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An access, to be counted for the part that answered; `None` where the port is unclaimed.
    Access {
        /// How the guest reached it.
        access: PlatformAccess,
        /// What answered.
        part: Option<Part>,
        /// How the vCPU goes on.
        entry: Entry,
        /// What the guest asks for by it.
        request: Option<PowerRequest>,
    },
    /// The end of a level-triggered interrupt. Pins are edges: there is no level to lower.
    EndOfInterrupt,
}

/// All parts of the platform.
#[derive(Debug)]
pub struct Platform {
    ioapic: Mutex<Ioapic>,
    serial: Option<Mutex<Serial>>,
    rtc: Option<Mutex<Rtc>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Platform {
    /// A platform whose IOAPIC has so many pins, the first GSIs of `irqs`. `uart` is the GSI of a UART, and where its
    /// characters go.
    pub fn new(
        vm: &Arc<Vm>,
        irqs: &Arc<Irqs>,
        pins: u32,
        uart: Option<(u32, Box<dyn Write + Send>)>,
        rtc: bool,
    ) -> Result<Self, MapError> {
        let page = Mapping::anonymous(ioapic::SIZE, Pages::Small)?;
        let page = LazySlot::new(Arc::clone(vm), ioapic::BASE, page);
        let ioapic = Mutex::new(Ioapic::new(page, Arc::clone(irqs), pins));
        let serial = uart.map(|(gsi, out)| {
            let irqs = Arc::clone(irqs);
            Mutex::new(Serial::new(move || irqs.raise(gsi), out))
        });
        Ok(Self { ioapic, serial, rtc: rtc.then(|| Mutex::new(Rtc::new())) })
    }

    /// Whether there is a real-time clock.
    pub fn has_rtc(&self) -> bool {
        self.rtc.is_some()
    }

    /// Bytes arrive at the UART from outside.
    pub fn type_into_uart(&self, bytes: &[u8]) {
        if let Some(serial) = &self.serial {
            lock(serial).input(bytes);
        }
    }

    /// An MMIO read, if a part of the platform is there.
    pub fn read(&self, at: GuestAddress, out: &mut [u8]) -> Option<Part> {
        let offset = in_ioapic(at)?;
        let value = lock(&self.ioapic).read(offset).to_le_bytes();
        for (out, byte) in out.iter_mut().zip(value) {
            *out = byte;
        }
        Some(Part::Ioapic)
    }

    /// An MMIO write, if a part of the platform is there.
    pub fn write(&self, at: GuestAddress, bytes: &[u8]) -> Option<Part> {
        let offset = in_ioapic(at)?;
        let mut value = [0; 4];
        if let Some(value) = value.get_mut(..bytes.len()) {
            value.copy_from_slice(bytes);
        }
        lock(&self.ioapic).write(offset, u32::from_le_bytes(value));
        Some(Part::Ioapic)
    }

    /// Answers an exit that only this architecture has.
    pub fn answer(&self, exit: &PlatformExit) -> Answer {
        match *exit {
            PlatformExit::PortRead { port, .. } => {
                let (value, part) = self.read_port(port);
                let entry = Entry::Read(value.into());
                Answer::Access { access: PlatformAccess::PortRead, part, entry, request: None }
            }
            PlatformExit::PortWrite { port, value, .. } => {
                let (request, part) = self.write_port(port, value);
                Answer::Access { access: PlatformAccess::PortWrite, part, entry: Entry::Resume, request }
            }
            PlatformExit::IoapicEoi { .. } => Answer::EndOfInterrupt,
        }
    }

    /// A read from a port; an unclaimed one reads as all ones.
    fn read_port(&self, port: u16) -> (u32, Option<Part>) {
        if let Some(value) = acpi_ports::read(port) {
            return (value.into(), Some(Part::Acpi));
        }
        if let (Some(serial), Some(offset @ 0..serial::PORTS)) = (&self.serial, port.checked_sub(serial::PORT)) {
            return (lock(serial).read(offset as u8).into(), Some(Part::Uart));
        }
        if let (Some(rtc), Some(offset @ 0..rtc::PORTS)) = (&self.rtc, port.checked_sub(rtc::PORT)) {
            return (lock(rtc).read(offset as u8).into(), Some(Part::Rtc));
        }
        (u32::MAX, None)
    }

    /// A write to a port, and what the guest asks for by it.
    fn write_port(&self, port: u16, value: u32) -> (Option<PowerRequest>, Option<Part>) {
        if acpi_ports::read(port).is_some() {
            return (acpi_ports::write(port, value as u8), Some(Part::Acpi));
        }
        if let (Some(serial), Some(offset @ 0..serial::PORTS)) = (&self.serial, port.checked_sub(serial::PORT)) {
            lock(serial).write(offset as u8, value as u8);
            return (None, Some(Part::Uart));
        }
        if let (Some(rtc), Some(offset @ 0..rtc::PORTS)) = (&self.rtc, port.checked_sub(rtc::PORT)) {
            lock(rtc).write(offset as u8, value as u8);
            return (None, Some(Part::Rtc));
        }
        (None, None)
    }
}

fn in_ioapic(at: GuestAddress) -> Option<usize> {
    at.0.checked_sub(ioapic::BASE.0).filter(|&offset| offset < ioapic::SIZE as u64).map(|offset| offset as usize)
}
