//! An allocator over the RAM that the start info names.
//!
//! Allocation goes by powers of two: a freed block waits in the list of its size for the next of that size, new blocks
//! come from the front of the untouched rest. Nothing is ever merged; the probe is short-lived.

use core::alloc::{GlobalAlloc, Layout};

use crate::entry::image_end;
use crate::only::Only;
use crate::start_info::StartInfo;

pub(crate) const PAGE: usize = 4096;
/// RAM from here on is not mapped (see `paging.rs`).
const MAPPED_END: u64 = 4 << 30;
const SMALLEST: usize = 16;
const CLASSES: usize = 32;

#[derive(Debug)]
struct Heap {
    next: usize,
    end: usize,
    free: [usize; CLASSES],
}

static HEAP: Only<Heap> = Only::new(Heap { next: 0, end: 0, free: [0; CLASSES] });

#[derive(Debug)]
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Size of the block that holds `layout`; it is aligned to its own size or to a page, whichever is less.
fn block(layout: Layout) -> usize {
    layout.size().max(layout.align()).max(SMALLEST).next_power_of_two()
}

// SAFETY: blocks come from RAM that nothing else uses, are aligned as asked (`block`), and are handed out once.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and the reference ends here.
        let heap = unsafe { HEAP.get() };
        let size = block(layout);
        let class = size.trailing_zeros() as usize;
        let Some(first) = heap.free.get_mut(class).filter(|_| layout.align() <= PAGE) else {
            return core::ptr::null_mut();
        };
        if *first != 0 {
            let found = *first as *mut usize;
            // SAFETY: a freed block holds the address of the next one.
            *first = unsafe { found.read() };
            return found.cast();
        }
        let start = heap.next.next_multiple_of(size.min(PAGE));
        if size > heap.end.saturating_sub(start) {
            return core::ptr::null_mut();
        }
        heap.next = start + size;
        start as *mut u8
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: one thread, and the reference ends here.
        let heap = unsafe { HEAP.get() };
        let class = block(layout).trailing_zeros() as usize;
        if let Some(first) = heap.free.get_mut(class) {
            // SAFETY: the block is free and at least 16 bytes.
            unsafe { pointer.cast::<usize>().write_unaligned(*first) };
            *first = pointer as usize;
        }
    }
}

/// Gives the allocator the RAM behind the image. What the monitor put there (start info, command line) may be
/// overwritten from now on.
pub(crate) fn start(info: &StartInfo) {
    let image = &raw const image_end as u64;
    let area = info.memory_map().iter().find(|area| area.is_ram() && area.address <= image && image < area.end());
    // SAFETY: one thread, and the reference ends here.
    let heap = unsafe { HEAP.get() };
    heap.next = image as usize;
    heap.end = area.map_or(image, |area| area.end().min(MAPPED_END)) as usize;
}

/// Bytes of RAM that were never handed out.
pub(crate) fn untouched() -> usize {
    // SAFETY: one thread, and the reference ends here.
    let heap = unsafe { HEAP.get() };
    heap.end.saturating_sub(heap.next)
}
