//! Mappings above the 4 GiB that `entry.s` maps: pmem regions lie there. Always 2 MiB pages, which every long mode CPU
//! has; a page directory is made for each GiB that is asked for.

use crate::dma::Pages;
use crate::entry::page_directory_pointers;
use crate::memory::PAGE;

const GIB: u64 = 1 << 30;
const HUGE_PAGE: u64 = 2 << 20;
/// Present, writable, user; with `LARGE` a 2 MiB page.
const TABLE: u64 = 0x07;
const LARGE: u64 = 0x80;
/// Entries of any table.
const ENTRIES: u64 = 512;

/// Maps `size` bytes from `address` on to themselves, where that is not done yet. Returns false beyond 512 GiB, which is
/// what one page of page directory pointers covers, or without memory for tables.
pub(crate) fn map(address: u64, size: u64) -> bool {
    let Some(end) = address.checked_add(size).filter(|end| *end <= ENTRIES * GIB) else {
        return false;
    };
    (address / GIB..end.div_ceil(GIB)).all(map_gib)
}

fn map_gib(gib: u64) -> bool {
    let entry = (&raw mut page_directory_pointers).cast::<u64>().wrapping_add(gib as usize);
    // SAFETY: the caller checked that the entry lies in the table.
    if unsafe { entry.read_volatile() } != 0 {
        return true;
    }
    let Some(directory) = Pages::new(PAGE) else { return false };
    for page in 0..ENTRIES {
        directory.region().write(page as usize * 8, (gib * GIB + page * HUGE_PAGE) | TABLE | LARGE);
    }
    // SAFETY: as above. The directory is complete, and an entry that was not present needs no TLB flush.
    unsafe { entry.write_volatile(directory.address() | TABLE) };
    core::mem::forget(directory);
    true
}
