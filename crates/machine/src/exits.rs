//! Exits, counted where they happen.
//!
//! One table a vCPU, on cache lines of its own, written by that vCPU's thread only: counting is a load,
//! an add and a store. Readers may look at any moment, other processes as well (`live`).

use illico_memory::{Counter, Counters};

/// Who answered an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Nobody is at that port or address.
    Nobody,
    /// PCI configuration space.
    PciConfig,
    /// The IOAPIC.
    Ioapic,
    /// The sleep, reset and panic registers.
    Acpi,
    /// The UART.
    Uart,
    /// The real-time clock.
    Rtc,
    /// The VirtIO device of that number.
    Device(u16),
}

impl Party {
    /// Those that are not devices, in the order of the table.
    pub const FIXED: [Self; 6] = [Self::Nobody, Self::PciConfig, Self::Ioapic, Self::Acpi, Self::Uart, Self::Rtc];

    fn row(self) -> usize {
        match self {
            Self::Nobody => 0,
            Self::PciConfig => 1,
            Self::Ioapic => 2,
            Self::Acpi => 3,
            Self::Uart => 4,
            Self::Rtc => 5,
            Self::Device(index) => Self::FIXED.len() + usize::from(index),
        }
    }

    /// The name in tables and JSON, but for devices, which have names of their own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::PciConfig => "pci-config",
            Self::Ioapic => "ioapic",
            Self::Acpi => "acpi",
            Self::Uart => "uart",
            Self::Rtc => "rtc",
            Self::Device(_) => "device",
        }
    }
}

/// How the guest reached for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `in`
    PortRead,
    /// `out`
    PortWrite,
    /// A load from memory that is none.
    MmioRead,
    /// A store to memory that is none, or that is read-only.
    MmioWrite,
}

impl Access {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::PortRead, Self::PortWrite, Self::MmioRead, Self::MmioWrite];

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::PortRead => "port-read",
            Self::PortWrite => "port-write",
            Self::MmioRead => "mmio-read",
            Self::MmioWrite => "mmio-write",
        }
    }
}

/// The exits of one vCPU that came up to the monitor.
#[derive(Debug)]
pub struct VcpuExits {
    /// [`Access::ALL`] for each party.
    pub(crate) table: Counters,
    /// Ends of level-triggered interrupts.
    pub eoi: Counter,
    /// Kicks of the monitor's own.
    pub interrupted: Counter,
}

impl VcpuExits {
    /// A table of its own, for a machine with `devices` VirtIO devices.
    #[cfg(test)]
    pub fn new(devices: usize) -> Self {
        let table = Counters::own((Party::FIXED.len() + devices) * Access::ALL.len());
        Self { table, eoi: Counter::default(), interrupted: Counter::default() }
    }

    /// Counts one access.
    #[inline]
    pub fn count(&self, party: Party, access: Access) {
        self.table.add(party.row() * Access::ALL.len() + access as usize, 1);
    }

    /// How often `party` was reached by `access`.
    pub fn get(&self, party: Party, access: Access) -> u64 {
        self.table.get(party.row() * Access::ALL.len() + access as usize)
    }

    /// The whole table now, a row a party.
    pub fn rows(&self) -> Vec<[u64; Access::ALL.len()]> {
        let row = |party| std::array::from_fn(|access| self.table.get(party * Access::ALL.len() + access));
        (0..self.table.len() / Access::ALL.len()).map(row).collect()
    }
}
