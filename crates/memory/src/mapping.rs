//! Host memory that a guest sees: mapped once, 2 MiB aligned, never moved, unmapped when the last
//! window into it is gone.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crate::Window;

/// The large page of x86-64, and the alignment of every mapping: a guest page table entry and a host
/// page can then both be large, and one page fault serves 512 small pages.
const LARGE_PAGE: usize = 2 << 20;

/// How the host backs a mapping (`--hugepages`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pages {
    /// Large pages wherever the kernel has them (`MADV_HUGEPAGE`), once they are asked for.
    #[default]
    Transparent,
    /// Pages of the host's hugetlb pool, reserved when mapped.
    HugeTlb,
    /// Small pages only (`MADV_NOHUGEPAGE`).
    Small,
}

/// What the guest and the monitor may do with a mapped file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only; a write through the mapping would be a fault, so none is offered to the guest.
    ReadOnly,
    /// Reads and writes; writes reach the file.
    ReadWrite,
}

/// The host did not give the memory that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// `mmap` failed.
    #[error("mapping {len} bytes of {what}")]
    Map {
        /// Bytes asked for.
        len: usize,
        /// What kind of memory it was to be.
        what: &'static str,
        /// What `mmap` said.
        #[source]
        source: io::Error,
    },
    /// A mapping of no bytes was asked for.
    #[error("mapping of 0 bytes")]
    Empty,
}

/// Host memory that stays where it is until the last [`Window`] into it is dropped.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
    /// What was mapped around it for the sake of alignment, unmapped with it.
    reserved: (NonNull<u8>, usize),
}

// SAFETY: a mapping is plain memory without thread affinity; all access goes through `Window`, which
// uses atomic or raw copies and hands out no references.
unsafe impl Send for Mapping {}
// SAFETY: as above: shared access is by raw copies and atomics only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Anonymous memory, zeroed, that costs nothing until it is touched.
    pub fn anonymous(len: usize, pages: Pages) -> Result<Window, MapError> {
        let (what, extra) = match pages {
            Pages::HugeTlb => {
                ("huge pages (is the pool in /proc/sys/vm/nr_hugepages large enough?)", libc::MAP_HUGETLB)
            }
            Pages::Transparent | Pages::Small => ("memory", libc::MAP_NORESERVE),
        };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | extra;
        // A pool mapping is aligned already and must be a multiple of the page.
        let wanted = if pages == Pages::HugeTlb { len.next_multiple_of(LARGE_PAGE) } else { len };
        let slack = if len >= LARGE_PAGE && pages != Pages::HugeTlb { LARGE_PAGE } else { 0 };
        let mapping = Self::map(wanted, slack, libc::PROT_READ | libc::PROT_WRITE, flags, None, what)?;
        // Where the pool is not used, pages are small until `prefer_large_pages`. Small mappings
        // (register pages) could not have others.
        if pages != Pages::HugeTlb && len >= LARGE_PAGE {
            advise(mapping.start, mapping.len, libc::MADV_NOHUGEPAGE);
        }
        Ok(Window::whole(Arc::new(mapping)))
    }

    /// The first `len` bytes of an open file, shared with every process that has it open.
    pub fn file(file: BorrowedFd<'_>, len: usize, access: Access) -> Result<Window, MapError> {
        let protection = match access {
            Access::ReadOnly => libc::PROT_READ,
            Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        };
        let slack = if len >= LARGE_PAGE { LARGE_PAGE } else { 0 };
        let mapping = Self::map(len, slack, protection, libc::MAP_SHARED, Some(file), "a file")?;
        Ok(Window::whole(Arc::new(mapping)))
    }

    fn map(
        len: usize,
        slack: usize,
        protection: i32,
        flags: i32,
        file: Option<BorrowedFd<'_>>,
        what: &'static str,
    ) -> Result<Self, MapError> {
        if len == 0 {
            return Err(MapError::Empty);
        }
        let failed = |source| MapError::Map { len, what, source };
        let whole = len.checked_add(slack).ok_or_else(|| failed(io::ErrorKind::OutOfMemory.into()))?;
        if slack == 0 {
            let fd = file.map_or(-1, |file| file.as_raw_fd());
            // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
            let start = unsafe { libc::mmap(ptr::null_mut(), whole, protection, flags, fd, 0) };
            let start = checked(start).map_err(failed)?;
            return Ok(Self { start, len, reserved: (start, whole) });
        }
        let reserve = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: as above; PROT_NONE reserves addresses only.
        let reserved = unsafe { libc::mmap(ptr::null_mut(), whole, libc::PROT_NONE, reserve, -1, 0) };
        let reserved = checked(reserved).map_err(failed)?;
        let offset = reserved.as_ptr().align_offset(LARGE_PAGE);
        // SAFETY: offset < LARGE_PAGE = slack, so start..start+len lies inside the reservation.
        let start = unsafe { reserved.add(offset) };
        let fd = file.map_or(-1, |file| file.as_raw_fd());
        // SAFETY: MAP_FIXED replaces only pages of the reservation made above, which no other code refers to.
        let at = unsafe { libc::mmap(start.as_ptr().cast(), len, protection, flags | libc::MAP_FIXED, fd, 0) };
        let mapping = Self { start, len, reserved: (reserved, whole) };
        checked(at).map_err(failed)?; // on failure `mapping` drops and the reservation goes with it
        Ok(mapping)
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Advice changes no contents. A kernel without huge pages refuses it, and small pages are as correct.
pub(crate) fn advise(start: NonNull<u8>, len: usize, advice: i32) {
    // SAFETY: callers pass a range of a mapping that they hold, and the advice given here never
    // discards anything.
    unsafe { libc::madvise(start.as_ptr().cast(), len, advice) };
}

fn checked(address: *mut libc::c_void) -> io::Result<NonNull<u8>> {
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(address.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let (start, len) = self.reserved;
        // SAFETY: the whole range was mapped by `map`, and windows keep the mapping alive, so nothing
        // points into it any more.
        unsafe { libc::munmap(start.as_ptr().cast(), len) };
    }
}
