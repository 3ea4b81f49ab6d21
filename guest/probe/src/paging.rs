//! Mappings above the 4 GiB that `entry.s` maps: pmem regions lie there. Always 2 MiB pages, which every long mode CPU
//! has; a page directory is made for each GiB that is asked for.

use alloc::alloc::{Layout, alloc};

use crate::entry::page_directory_pointers;
use crate::memory::PAGE;

const GIB: u64 = 1 << 30;
const HUGE_PAGE: u64 = 2 << 20;
/// Present, writable, user; with `LARGE` a 2 MiB page.
const TABLE: u64 = 0x07;
const LARGE: u64 = 0x80;
/// One page of page directory pointers covers this much.
const REACH: u64 = 512 * GIB;

/// Maps `size` bytes from `address` on to themselves, where the tables from `entry.s` (up to 4 GiB) do not yet.
/// Returns false beyond 512 GiB or without memory for tables.
pub(crate) fn map(address: u64, size: u64) -> bool {
    let Some(end) = address.checked_add(size).filter(|end| *end <= REACH) else {
        return false;
    };
    let mut gib = address / GIB;
    while gib * GIB < end {
        let Ok(index) = usize::try_from(gib) else { return false };
        let entry = {
            let pointers = &raw mut page_directory_pointers;
            // SAFETY: below 512 as `end` is within reach.
            unsafe { &raw mut (*pointers)[index] }
        };
        // SAFETY: the entry lies in our own table.
        if unsafe { entry.read_volatile() } == 0 {
            let layout = Layout::new::<[[u64; 512]; 1]>().align_to(PAGE).unwrap_or(Layout::new::<u64>());
            // SAFETY: the layout is not empty.
            let table = unsafe { ALLOCATOR.alloc(layout) }.cast::<u64>();
            if table.is_null() {
                return false;
            }
            for page in 0..512_u64 {
                // SAFETY: the table has 512 entries.
                let slot = unsafe { table.add(page as usize) };
                // SAFETY: it is ours. An entry that was not present needs no TLB flush.
                unsafe { slot.write_volatile((gib * GIB + page * HUGE_PAGE) | TABLE | LARGE) };
            }
            // SAFETY: the entry lies in our own table; the page directory is complete.
            unsafe { entry.write_volatile(table as u64 | TABLE) };
        }
        gib += 1;
    }
    true
}
