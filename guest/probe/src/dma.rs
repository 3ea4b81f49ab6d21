//! Memory that devices see, which is all memory: physical and virtual addresses are the same. For `virtio-drivers` as
//! its `Hal`, for our own ring as `Pages`.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::NonNull;

use virtio_drivers::{BufferDirection, Hal, PhysAddr};

use crate::memory::PAGE;
use crate::paging;
use crate::region::Region;

/// Zeroed memory that begins on a page, freed when dropped.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    layout: Layout,
}

impl Pages {
    pub(crate) fn new(size: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size.max(1), PAGE).ok()?;
        // SAFETY: the size is not 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }

    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// For volatile accesses, since a device may write there at any time.
    pub(crate) fn region(&self) -> Region {
        Region(self.start.as_ptr() as usize)
    }

    /// The bytes, when no device has them.
    ///
    /// # Safety
    /// Every chain that names this memory has come back.
    pub(crate) unsafe fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: ours and initialised; the caller says that nobody else writes it.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

#[derive(Debug)]
pub(crate) struct Identity;

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages.max(1) * PAGE, PAGE).unwrap_or(Layout::new::<u8>())
}

// SAFETY: memory from the allocator is page-aligned, zeroed, handed out once, and its address is physical.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: the size is not 0.
        let start = unsafe { alloc_zeroed(layout(pages)) };
        // Address 0 is virtio-drivers' word for "no memory".
        (start as PhysAddr, NonNull::new(start).unwrap_or(NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_paddr: PhysAddr, vaddr: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: it came from `dma_alloc` with as many pages.
        unsafe { dealloc(vaddr.as_ptr(), layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(paddr: PhysAddr, size: usize) -> NonNull<u8> {
        // A BAR that cannot be mapped faults at its first use, which is reported.
        paging::map(paddr, size as u64);
        NonNull::new(paddr as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as PhysAddr
    }

    unsafe fn unshare(_paddr: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}
