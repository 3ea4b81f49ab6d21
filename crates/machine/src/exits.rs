//! Exits, counted where they happen.
//!
//! One table a vCPU, on cache lines of its own, written by that vCPU's thread only: counting is a load,
//! an add and a store. Readers may look at any moment, other processes as well (`live`).

use illico_memory::{Counter, Counters};

use crate::arch::{Part, PlatformAccess};

/// What answered an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The port or address is unclaimed.
    Unclaimed,
    /// PCI configuration space.
    PciConfig,
    /// A part of the architecture's platform.
    Platform(Part),
    /// The VirtIO device of that number.
    Device(u16),
}

/// Those of [`Party::FIXED`] that every architecture has.
const COMMON: [Party; 2] = [Party::Unclaimed, Party::PciConfig];

impl Party {
    /// Those that are not devices, in the order of the table.
    pub const FIXED: [Self; COMMON.len() + Part::ALL.len()] = {
        let mut fixed = [Self::Unclaimed; COMMON.len() + Part::ALL.len()];
        let mut row = 0;
        while row < fixed.len() {
            fixed[row] = match row.checked_sub(COMMON.len()) {
                None => COMMON[row],
                Some(part) => Self::Platform(Part::ALL[part]),
            };
            row += 1;
        }
        fixed
    };

    fn row(self) -> usize {
        match self {
            Self::Unclaimed => 0,
            Self::PciConfig => 1,
            Self::Platform(part) => COMMON.len() + part as usize,
            Self::Device(index) => Self::FIXED.len() + usize::from(index),
        }
    }

    /// The name in tables and JSON, but for devices, which have names of their own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unclaimed => "nobody",
            Self::PciConfig => "pci-config",
            Self::Platform(part) => part.name(),
            Self::Device(_) => "device",
        }
    }
}

/// How the guest reached for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A way that only this architecture has.
    Platform(PlatformAccess),
    /// A load from an address without memory.
    MmioRead,
    /// A store to an address without memory, or with memory that is read-only.
    MmioWrite,
}

impl Access {
    /// All of them, in the order of the table.
    pub const ALL: [Self; PlatformAccess::ALL.len() + 2] = {
        let mut all = [Self::MmioRead; PlatformAccess::ALL.len() + 2];
        let mut column = 0;
        while column < PlatformAccess::ALL.len() {
            all[column] = Self::Platform(PlatformAccess::ALL[column]);
            column += 1;
        }
        all[column + 1] = Self::MmioWrite;
        all
    };

    /// Its place in [`Access::ALL`].
    pub fn column(self) -> usize {
        match self {
            Self::Platform(access) => access as usize,
            Self::MmioRead => PlatformAccess::ALL.len(),
            Self::MmioWrite => PlatformAccess::ALL.len() + 1,
        }
    }

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform(access) => access.name(),
            Self::MmioRead => "mmio-read",
            Self::MmioWrite => "mmio-write",
        }
    }
}

/// The exits of one vCPU that the monitor handled.
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
        self.table.add(party.row() * Access::ALL.len() + access.column(), 1);
    }

    /// How often `party` was reached by `access`.
    pub fn get(&self, party: Party, access: Access) -> u64 {
        self.table.get(party.row() * Access::ALL.len() + access.column())
    }

    /// The whole table now, a row a party.
    pub fn rows(&self) -> Vec<[u64; Access::ALL.len()]> {
        let row = |party| std::array::from_fn(|access| self.table.get(party * Access::ALL.len() + access));
        (0..self.table.len() / Access::ALL.len()).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_places_in_the_lists() {
        assert!(Party::FIXED.into_iter().enumerate().all(|(row, party)| party.row() == row));
        assert!(Access::ALL.into_iter().enumerate().all(|(column, access)| access.column() == column));
        assert_eq!(Party::Device(0).row(), Party::FIXED.len());
    }

    /// Files that others have written hold these names.
    #[test]
    fn names_are_those_of_the_schema() {
        let parties = Party::FIXED.map(Party::name);
        assert_eq!(parties, ["nobody", "pci-config", "ioapic", "acpi", "uart", "rtc"]);
        assert_eq!(Access::ALL.map(Access::name), ["port-read", "port-write", "mmio-read", "mmio-write"]);
    }
}
