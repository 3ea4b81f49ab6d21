//! The ACPI tables: how the guest learns of its CPUs, its PCI bus and the few things that have no bus.
//!
//! Hardware-reduced ACPI (ACPI 6.5 § 4.1): no fixed hardware but a sleep register and a reset
//! register, events through a generic event device. RSDP (§ 5.2.5), XSDT (§ 5.2.8), FADT (§ 5.2.9),
//! MADT (§ 5.2.12), MCFG (PCI Firmware 3.3 § 4.1.2) and the DSDT. What is on the PCI bus, and pmem,
//! is found without ACPI and is not in here.

mod dsdt;

use acpi_tables::Aml;
use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};
use acpi_tables::madt::{EnabledStatus, IoApic, ProcessorLocalApic};
use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;
use illico_memory::{GuestAddress, OutOfRam, Ram};
use zerocopy::IntoBytes;

use super::boot::places::ACPI;
use crate::boot::range::Range;

/// The port of the sleep control register: `SLP_EN` and [`SLEEP_TYPE_OFF`] turn the machine off.
pub const SLEEP_CONTROL_PORT: u16 = 0x600;
/// The port of the sleep status register.
pub const SLEEP_STATUS_PORT: u16 = 0x601;
/// The port of the reset register.
pub const RESET_PORT: u16 = 0x602;
/// What is written there to reset.
pub const RESET_VALUE: u8 = 1;
/// The sleep type of S5, soft off.
pub const SLEEP_TYPE_OFF: u8 = 5;
/// What the guest writes to the sleep control register to turn off: `SLP_EN` and the sleep type
/// (ACPI 6.5 table 4.17).
pub const SLEEP_OFF: u8 = 1 << 5 | SLEEP_TYPE_OFF << 2;
/// The port of the pvpanic device.
pub const PVPANIC_PORT: u16 = 0x505;
/// The first port of the UART.
pub const UART_PORT: u16 = 0x3f8;
/// The first port of the real-time clock.
pub const RTC_PORT: u16 = 0x70;
/// The register of the real-time clock that has the century.
pub const RTC_CENTURY: u8 = 0x32;
/// Where the IOAPIC is.
pub const IOAPIC: u32 = 0xfec0_0000;
/// What the tables call the IOAPIC's pin 0, and so on upwards: the numbers after those of the ISA bus.
/// Linux takes neither 0 nor 2 from ACPI on x86, where a PC has its timer and the second PIC.
pub const FIRST_LINE: u32 = 16;
/// Where the local APICs are.
pub const LOCAL_APIC: u32 = 0xfee0_0000;

const OEM: [u8; 6] = *b"ILLICO";
const OEM_TABLE: [u8; 8] = *b"ILLICOVM";

/// `IAPC_BOOT_ARCH` (ACPI 6.5 table 5.11): no VGA, no ASPM to be controlled. That there is no 8042
/// and no other legacy device is said by bits that are not set.
const NO_VGA_NO_ASPM: u16 = 1 << 2 | 1 << 4;
/// And no CMOS real-time clock.
const NO_RTC: u16 = 1 << 5;

/// The PCI bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pci {
    /// The configuration space of bus 0.
    pub ecam: Range,
    /// Where devices with 32-bit memory may be.
    pub window32: Range,
    /// Where devices with 64-bit memory may be, above all RAM.
    pub window64: Option<Range>,
    /// Pin A of each device that has one, and the IOAPIC's pin that it is wired to.
    pub pins: Vec<(u8, u32)>,
}

/// A virtio-mmio device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MmioDevice {
    /// Where its page of registers is.
    pub base: u32,
    /// Its pin of the IOAPIC.
    pub gsi: u32,
}

/// What the tables tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acpi {
    /// How many CPUs there are, with local APIC identifiers from 0 on.
    pub cpus: u8,
    /// The PCI bus, if there is one.
    pub pci: Option<Pci>,
    /// Devices without a bus.
    pub mmio: Vec<MmioDevice>,
    /// The IOAPIC's pin of the UART, if there is one.
    pub uart_gsi: Option<u32>,
    /// That of the generic event device that stands for the power button, if there is one.
    pub power_button_gsi: Option<u32>,
    /// Whether there is a CMOS real-time clock.
    pub rtc: bool,
    /// Whether there is a pvpanic device.
    pub pvpanic: bool,
}

impl Acpi {
    /// Whether any interrupt is a line, so that it takes an IOAPIC.
    pub fn has_lines(&self) -> bool {
        !self.mmio.is_empty() || self.uart_gsi.is_some() || self.power_button_gsi.is_some()
    }

    /// Writes the tables to their place and gives the address of the RSDP, the root of them.
    pub fn write(&self, ram: &Ram) -> Result<GuestAddress, OutOfRam> {
        let mut place = Place { ram, next: ACPI.start + Rsdp::len() as u64 };
        let dsdt = place.put(table(*b"DSDT", 2, &self.dsdt()).as_slice())?;
        let mut listed = vec![place.put(&self.fadt(dsdt))?, place.put(table(*b"APIC", 5, &self.madt()).as_slice())?];
        if let Some(pci) = &self.pci {
            listed.push(place.put(table(*b"MCFG", 1, &mcfg(pci)).as_slice())?);
        }
        let xsdt = place.put(table(*b"XSDT", 1, listed.as_bytes()).as_slice())?;
        ram.write(GuestAddress(ACPI.start), Rsdp::new(OEM, xsdt).as_bytes())?;
        Ok(GuestAddress(ACPI.start))
    }

    fn fadt(&self, dsdt: u64) -> Vec<u8> {
        let port = |port: u16| GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, port.into());
        let mut fadt = FADTBuilder::new(OEM, OEM_TABLE, 1)
            .dsdt_64(dsdt)
            .flag(Flags::HwReducedAcpi)
            .flag(Flags::ResetRegSup)
            .flag(Flags::Wbinvd)
            // Set where these are *not* fixed hardware (ACPI 6.5 table 5.10).
            .flag(Flags::PwrButton)
            .flag(Flags::SlpButton)
            .flag(Flags::FixRtc)
            .flag(Flags::Headless);
        fadt.reset_reg = port(RESET_PORT);
        fadt.reset_value = RESET_VALUE;
        fadt.sleep_control_reg = port(SLEEP_CONTROL_PORT);
        fadt.sleep_status_reg = port(SLEEP_STATUS_PORT);
        fadt.iapc_boot_arch = (NO_VGA_NO_ASPM | if self.rtc { 0 } else { NO_RTC }).into();
        if self.rtc {
            // Not read by the letter of hardware-reduced ACPI, but Linux does, and else believes in 2069 at most.
            fadt.century = RTC_CENTURY;
        }
        fadt.hypervisor_vendor_identity = u64::from_le_bytes(*b"illico\0\0").into();
        let mut bytes = Vec::new();
        fadt.finalize().to_aml_bytes(&mut bytes);
        bytes
    }

    fn madt(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(LOCAL_APIC.to_le_bytes());
        body.extend(0_u32.to_le_bytes()); // no PCAT_COMPAT: there is no PIC
        for cpu in 0..self.cpus {
            body.extend(ProcessorLocalApic::new(cpu, cpu, EnabledStatus::Enabled).as_bytes());
        }
        if self.has_lines() {
            body.extend(IoApic::new(0, IOAPIC, FIRST_LINE).as_bytes());
        }
        body
    }
}

/// The body of the MCFG: eight reserved bytes, then where segment 0 has bus 0.
fn mcfg(pci: &Pci) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend(pci.ecam.start.to_le_bytes());
    let buses = (pci.ecam.end - pci.ecam.start) >> 20;
    body.extend([0, 0, 0, (buses - 1) as u8]);
    body.extend([0; 4]);
    body
}

/// A table: the header, with its sum, and a body.
fn table(signature: [u8; 4], revision: u8, body: &[u8]) -> Sdt {
    let mut table = Sdt::new(signature, 36, revision, OEM, OEM_TABLE, 1);
    table.append_slice(body);
    table
}

/// Where the next table goes.
struct Place<'a> {
    ram: &'a Ram,
    next: u64,
}

impl Place<'_> {
    fn put(&mut self, table: &[u8]) -> Result<u64, OutOfRam> {
        let at = self.next.next_multiple_of(16);
        self.next = at + table.len() as u64;
        assert!(self.next <= ACPI.end, "the ACPI tables take more than {} bytes", ACPI.end - ACPI.start);
        self.ram.write(GuestAddress(at), table)?;
        Ok(at)
    }
}

#[cfg(test)]
#[path = "acpi_test.rs"]
mod tests;
