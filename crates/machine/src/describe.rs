//! What a machine tells its guest about itself: which interrupt is whose, ACPI tables, and the command line.

use illico_memory::GuestAddress;

use crate::arch::acpi::{self, Acpi, MmioDevice};
use crate::boot::cmdline::{self, CommandLine, CommandLineError};
use crate::boot::range::Range;
use crate::bus::Bus;
use crate::config::{Announce, Config, Console, Feature, Transport};
use crate::mmio::{self, MmioBus};
use crate::pci;

/// Which GSI belongs to what: pins of the IOAPIC first, MSI-X vectors behind them.
pub(crate) struct Gsis {
    pub(crate) power_button: u32,
    pub(crate) uart: Option<u32>,
    /// The first device's, where devices have lines.
    pub(crate) first_device: u32,
    pub(crate) pins: u32,
}

impl Gsis {
    pub(crate) fn of(config: &Config, uart: bool, devices: usize) -> Self {
        let power_button = 0;
        let uart = uart.then_some(1);
        let first_device = 1 + u32::from(uart.is_some());
        let lines = if has_lines(config) { devices as u32 } else { 0 };
        Self { power_button, uart, first_device, pins: first_device + lines }
    }

    fn mmio_device(&self, index: u32) -> MmioDevice {
        MmioDevice { base: mmio::page(index as usize).0 as u32, gsi: self.first_device + index }
    }
}

/// Whether devices raise lines of the IOAPIC.
pub(crate) fn has_lines(config: &Config) -> bool {
    config.transport == Transport::Mmio || config.without.contains(&Feature::Msix)
}

/// What the ACPI tables tell.
pub(crate) fn acpi(config: &Config, gsis: &Gsis, bus: &Bus) -> Acpi {
    Acpi {
        cpus: config.cpus,
        pci: bus.pci.as_ref().map(|bus| acpi::Pci {
            ecam: range(pci::ECAM, pci::ECAM_SIZE),
            window32: range(pci::WINDOW, pci::WINDOW_SIZE),
            window64: None,
            pins: match config.without.contains(&Feature::Msix) {
                true => (0..bus.len() as u32).map(|n| (n as u8 + 1, gsis.first_device + n)).collect(),
                false => Vec::new(),
            },
        }),
        mmio: if config.announce == Announce::Acpi { mmio_devices(gsis, bus) } else { Vec::new() },
        uart_gsi: gsis.uart,
        power_button_gsi: Some(gsis.power_button),
        rtc: bus.platform.has_rtc(),
        pvpanic: true,
    }
}

/// The defaults, virtio-mmio devices where ACPI does not announce them, and the user's words.
pub(crate) fn command_line(config: &Config, gsis: &Gsis, bus: &Bus) -> Result<CommandLine, CommandLineError> {
    let console = match config.console {
        Console::Virtio => cmdline::Console::Virtio,
        Console::Uart => cmdline::Console::Uart,
        Console::None => cmdline::Console::None,
    };
    let mut command_line = if config.default_cmdline {
        CommandLine::with_defaults(cmdline::Machine { console, pci: bus.pci.is_some() })
    } else {
        CommandLine::new()
    };
    if config.announce == Announce::Cmdline {
        for device in mmio_devices(gsis, bus) {
            let word = format!("virtio_mmio.device=4K@{:#x}:{}", device.base, device.gsi);
            command_line.push(&word)?;
        }
    }
    command_line.push(&config.cmdline)?;
    Ok(command_line)
}

fn mmio_devices(gsis: &Gsis, bus: &Bus) -> Vec<MmioDevice> {
    let count = bus.mmio.as_ref().map_or(0, MmioBus::len) as u32;
    (0..count).map(|index| gsis.mmio_device(index)).collect()
}

fn range(start: GuestAddress, size: u64) -> Range {
    Range { start: start.0, end: start.0 + size }
}
