//! The address map of low memory: where the monitor puts what it hands to the guest, and the memory map that follows.
//!
//! Everything lies below 1 MiB, where no kernel that is entered directly is linked to. The pages at
//! [`BOOT_DATA`] are read once, early, and are plain RAM in the map: the guest gets them back. The
//! ACPI tables stay for good, in the range below 1 MiB where firmware used to live.
//! Types of the map: ACPI 6.5 § 15, which PVH and the zero page share.

use illico_memory::{GuestAddress, HOLE_END, Ram};

use crate::boot::range::Range;

/// The size of a page, and what places are aligned to.
pub const PAGE: u64 = 0x1000;

/// The PVH start info, its module list and its memory map: one page.
pub const START_INFO: GuestAddress = GuestAddress(0x9_0000);
/// The command line: one page, of which Linux reads at most half.
pub const COMMAND_LINE: GuestAddress = GuestAddress(0x9_1000);
/// The zero page of the Linux boot protocol.
pub const ZERO_PAGE: GuestAddress = GuestAddress(0x9_2000);
/// The GDT for an entry in 64-bit mode.
pub const GDT: GuestAddress = GuestAddress(0x9_3000);
/// The page tables for an entry in 64-bit mode: a PML4, a PDPT and four page directories.
pub const PAGE_TABLES: GuestAddress = GuestAddress(0x9_4000);

/// All of the pages above, which a kernel must not be loaded over.
pub const BOOT_DATA: Range = Range { start: START_INFO.0, end: PAGE_TABLES.0 + 6 * PAGE };
/// The ACPI tables.
pub const ACPI: Range = Range { start: 0xe_0000, end: 0x10_0000 };

/// Where RAM ends below the range that belonged to video memory and firmware (640 KiB). Linux keeps
/// this hole free on its own; other kernels learn it from the map.
const CONVENTIONAL_END: u64 = 0xa_0000;
/// Where RAM goes on: 1 MiB.
const EXTENDED_START: u64 = 0x10_0000;

/// The least RAM that holds the boot data, the ACPI tables and a page of kernel.
pub const MIN_RAM: u64 = EXTENDED_START + PAGE;

/// What a range of the memory map is (ACPI 6.5 table 15.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free to use.
    Ram = 1,
    /// To be left alone.
    Reserved = 2,
    /// ACPI tables.
    Acpi = 3,
}

/// The memory map that the guest is told. `ecam` is the PCI configuration space, which may be in it
/// as reserved besides being a resource of the motherboard (PCI Firmware 3.3 § 4.1.2, note 2).
pub fn memory_map(ram: &Ram, ecam: Option<Range>) -> Vec<(Range, Kind)> {
    let mut map = vec![(Range { start: 0, end: CONVENTIONAL_END }, Kind::Ram), (ACPI, Kind::Acpi)];
    for region in ram.regions() {
        let start = region.start.0.max(EXTENDED_START);
        let end = region.start.0 + region.window.len() as u64;
        if start < end {
            map.push((Range { start, end }, Kind::Ram));
        }
    }
    map.extend(ecam.map(|range| (range, Kind::Reserved)));
    map.sort_by_key(|(range, _)| range.start);
    map
}

/// The end of RAM below the hole for devices.
pub fn low_ram_end(ram: &Ram) -> u64 {
    let low = ram.regions().iter().filter(|region| region.start < HOLE_END);
    low.map(|region| region.start.0 + region.window.len() as u64).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use illico_memory::{Layout, Pages};

    use super::*;

    #[test]
    fn the_map_leaves_out_the_legacy_hole_and_goes_on_above_4_gib() {
        let ram = Ram::new(&Layout::around_hole(5 << 30), Pages::Small).unwrap();
        let ecam = Range { start: 0xe000_0000, end: 0xe010_0000 };
        let map: Vec<_> =
            memory_map(&ram, Some(ecam)).iter().map(|&(Range { start, end }, kind)| (start, end, kind)).collect();
        let expected = [
            (0, 0xa_0000, Kind::Ram),
            (0xe_0000, 0x10_0000, Kind::Acpi),
            (0x10_0000, 0xc000_0000, Kind::Ram),
            (0xe000_0000, 0xe010_0000, Kind::Reserved),
            (0x1_0000_0000, 0x1_8000_0000, Kind::Ram),
        ];
        assert_eq!(map, expected);
        assert_eq!(low_ram_end(&ram), 3 << 30);
    }

    #[test]
    fn what_the_monitor_places_lies_in_ram_and_apart() {
        let pages = [START_INFO, COMMAND_LINE, ZERO_PAGE, GDT, PAGE_TABLES];
        assert!(pages.windows(2).all(|pair| pair[0].0 + PAGE == pair[1].0));
        assert!(BOOT_DATA.end <= CONVENTIONAL_END && !BOOT_DATA.overlaps(ACPI));
        assert_eq!(ACPI.end, EXTENDED_START);
    }
}
