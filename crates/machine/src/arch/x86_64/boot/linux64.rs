//! The 64-bit boot protocol of Linux: Documentation/arch/x86/boot.rst, "64-bit Boot Protocol", and
//! Documentation/arch/x86/zero-page.rst for the fields of `boot_params`.
//!
//! An ELF file has no setup header to be copied, so the few fields that a loader fills in are written
//! into a page of zeros. Beside it go a GDT and page tables that map the low 4 GiB to themselves,
//! in which the kernel, the zero page, the command line and the initrd lie.

use illico_memory::{GuestAddress, OutOfRam, Ram};
use zerocopy::IntoBytes;

use super::entry::Entry;
use super::places::{COMMAND_LINE, GDT, Kind, PAGE, PAGE_TABLES, ZERO_PAGE};
use crate::boot::range::Range;

/// The byte after the highest that an initrd may have: what Linux has in `initrd_addr_max`.
pub const INITRD_CEILING: u64 = 0x8000_0000;
/// The byte after the highest that the page tables map.
pub const MAPPED_END: u64 = DIRECTORIES * LARGE_PAGE * 512;

const DIRECTORIES: u64 = 4;
const LARGE_PAGE: u64 = 2 << 20;
/// Present and writable, in a page table entry.
const TABLE: u64 = 0b11;
/// The same, for a page of 2 MiB.
const LARGE: u64 = TABLE | 1 << 7;

/// Null twice, then 64-bit code, flat data and a task state segment of 104 bytes, at the selectors
/// that [`Entry::Linux64`] names.
const DESCRIPTORS: [u64; 6] = [0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x0000_8b00_0000_0067, 0];

/// The most entries that the memory map of the zero page holds.
const MAP_ENTRIES: usize = 128;

/// Writes the zero page, the GDT and the page tables, and gives the entry.
pub fn write(
    ram: &Ram,
    entry: u64,
    map: &[(Range, Kind)],
    initrd: Option<Range>,
    rsdp: GuestAddress,
) -> Result<Entry, OutOfRam> {
    write_zero_page(ram, map, initrd, rsdp)?;
    ram.write(GDT, DESCRIPTORS.as_bytes())?;
    write_page_tables(ram)?;
    let gdt_limit = (size_of_val(&DESCRIPTORS) - 1) as u16;
    Ok(Entry::Linux64 { entry, zero_page: ZERO_PAGE, page_tables: PAGE_TABLES, gdt: GDT, gdt_limit })
}

fn write_zero_page(
    ram: &Ram,
    map: &[(Range, Kind)],
    initrd: Option<Range>,
    rsdp: GuestAddress,
) -> Result<(), OutOfRam> {
    let put = |offset: u64, bytes: &[u8]| ram.write(GuestAddress(ZERO_PAGE.0 + offset), bytes);
    put(0x070, &rsdp.0.to_le_bytes())?; // acpi_rsdp_addr
    put(0x1fe, &0xaa55_u16.to_le_bytes())?; // boot_flag
    put(0x202, b"HdrS")?; // header
    put(0x206, &0x020f_u16.to_le_bytes())?; // version: 2.15
    put(0x210, &[0xff])?; // type_of_loader: none that is registered
    put(0x211, &[1])?; // loadflags: LOADED_HIGH
    put(0x228, &(COMMAND_LINE.0 as u32).to_le_bytes())?; // cmd_line_ptr
    if let Some(Range { start, end }) = initrd {
        put(0x218, &(start as u32).to_le_bytes())?; // ramdisk_image
        put(0x21c, &((end - start) as u32).to_le_bytes())?; // ramdisk_size
    }
    assert!(map.len() <= MAP_ENTRIES, "{} ranges of memory do not fit into the zero page", map.len());
    put(0x1e8, &[map.len() as u8])?; // e820_entries
    for (at, &(Range { start, end }, kind)) in (0x2d0..).step_by(20).zip(map) {
        put(at, &start.to_le_bytes())?;
        put(at + 8, &(end - start).to_le_bytes())?;
        put(at + 16, &(kind as u32).to_le_bytes())?;
    }
    Ok(())
}

/// One PML4, one PDPT and a page directory for each GiB. Pages of 1 GiB would take two tables less,
/// but not every CPU has them.
fn write_page_tables(ram: &Ram) -> Result<(), OutOfRam> {
    let table = |n: u64| PAGE_TABLES.0 + n * PAGE;
    ram.write(GuestAddress(table(0)), (table(1) | TABLE).as_bytes())?;
    let directories: Vec<u64> = (0..DIRECTORIES).map(|n| table(2 + n) | TABLE).collect();
    ram.write(GuestAddress(table(1)), directories.as_bytes())?;
    let pages: Vec<u64> = (0..DIRECTORIES * 512).map(|n| (n * LARGE_PAGE) | LARGE).collect();
    ram.write(GuestAddress(table(2)), pages.as_bytes())
}

#[cfg(test)]
#[path = "linux64_test.rs"]
mod tests;
