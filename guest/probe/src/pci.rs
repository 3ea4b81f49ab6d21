//! PCI as far as virtio needs it: configuration space by ECAM (PCI Express 5.0, 7.2.2), function 0 of the 32 devices of
//! bus 0, capabilities, BARs that the monitor has assigned, and MSI-X (7.7.2) with messages to the local APIC.

use crate::lapic;
use crate::paging;
use crate::region::Region;

/// Where the house has its ECAM; `probe.ecam=` says otherwise.
pub(crate) const ECAM: u64 = 0xe000_0000;
pub(crate) const SLOTS: u8 = 32;
const CONFIGURATION_SPACE: usize = 4096;
const FUNCTIONS: usize = 8;

const COMMAND: usize = 0x04;
const COMMAND_MEMORY: u16 = 1 << 1;
const COMMAND_BUS_MASTER: u16 = 1 << 2;
const COMMAND_NO_INTX: u16 = 1 << 10;
const STATUS: usize = 0x06;
const STATUS_CAPABILITIES: u16 = 1 << 4;
const BAR0: usize = 0x10;
const BAR_MEMORY_64: u32 = 0b100;
const CAPABILITIES: usize = 0x34;
const CAPABILITY_MSIX: u8 = 0x11;
const MSIX_ENABLE: u16 = 1 << 15;
const MSIX_ENTRY: usize = 16;
/// Longest list that fits between the header and the end of the legacy configuration space.
const MOST_CAPABILITIES: usize = 48;

/// One function 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) slot: u8,
    pub(crate) configuration: Region,
}

/// Capability: its id and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capability {
    pub(crate) id: u8,
    pub(crate) offset: usize,
}

impl Function {
    pub(crate) fn at(ecam: u64, slot: u8) -> Self {
        let offset = usize::from(slot) * FUNCTIONS * CONFIGURATION_SPACE;
        Self { slot, configuration: Region(ecam as usize + offset) }
    }

    pub(crate) fn vendor(self) -> u16 {
        self.configuration.read(0)
    }

    pub(crate) fn device(self) -> u16 {
        self.configuration.read(2)
    }

    /// Memory decoding and bus mastering on, line interrupts off.
    pub(crate) fn enable(self) {
        self.configuration.write(COMMAND, COMMAND_MEMORY | COMMAND_BUS_MASTER | COMMAND_NO_INTX);
    }

    pub(crate) fn capabilities(self) -> impl Iterator<Item = Capability> {
        let space = self.configuration;
        let listed = space.read::<u16>(STATUS) & STATUS_CAPABILITIES != 0;
        let mut next = if listed { space.read::<u8>(CAPABILITIES) & 0xfc } else { 0 };
        core::iter::from_fn(move || {
            let offset = usize::from(next);
            if offset == 0 {
                return None;
            }
            next = space.read::<u8>(offset + 1) & 0xfc;
            Some(Capability { id: space.read(offset), offset })
        })
        .take(MOST_CAPABILITIES)
    }

    /// Address of a memory BAR as it is assigned, mapped for `size` bytes.
    pub(crate) fn bar(self, index: u8, size: u64) -> Option<Region> {
        let register = BAR0 + usize::from(index.min(5)) * 4;
        let low: u32 = self.configuration.read(register);
        let high: u32 = if low & 0b110 == BAR_MEMORY_64 { self.configuration.read(register + 4) } else { 0 };
        let address = u64::from(high) << 32 | u64::from(low & !0xf);
        (low & 1 == 0 && address != 0 && paging::map(address, size)).then_some(Region(address as usize))
    }
}

/// The MSI-X table of a function, switched on, every entry as the device left it: masked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Msix {
    table: Region,
    entries: u16,
}

impl Msix {
    pub(crate) fn enable(function: Function) -> Option<Self> {
        let capability = function.capabilities().find(|capability| capability.id == CAPABILITY_MSIX)?;
        let space = function.configuration;
        let control: u16 = space.read(capability.offset + 2);
        let place: u32 = space.read(capability.offset + 4);
        let entries = (control & 0x7ff) + 1;
        let offset = u64::from(place & !7);
        let size = offset + u64::from(entries) * MSIX_ENTRY as u64;
        let table = function.bar((place & 7) as u8, size)?.at(offset as usize);
        space.write(capability.offset + 2, MSIX_ENABLE | control & 0x3fff);
        Some(Self { table, entries })
    }

    /// Has `entry` raise `vector` on this processor.
    pub(crate) fn route(self, entry: u16, vector: u8) -> bool {
        if entry >= self.entries {
            return false;
        }
        let entry = self.table.at(usize::from(entry) * MSIX_ENTRY);
        entry.write(0, lapic::MESSAGE_ADDRESS as u32);
        entry.write(4, (lapic::MESSAGE_ADDRESS >> 32) as u32);
        entry.write(8, u32::from(vector));
        entry.write(12, 0_u32);
        true
    }

    pub(crate) fn table(self) -> Region {
        self.table
    }

    pub(crate) fn entries(self) -> u16 {
        self.entries
    }
}
