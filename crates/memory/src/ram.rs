//! Guest RAM: which host memory the guest sees at which physical address.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use crate::mapping::advise;
use crate::{Access, GuestAddress, Layout, MapError, Mapping, Pages, Window};

/// A guest range that is not RAM from its first byte to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("guest range {start} + {len:#x} is not in RAM")]
pub struct OutOfRam {
    /// Where the range begins.
    pub start: GuestAddress,
    /// Its length in bytes.
    pub len: u64,
}

/// One contiguous range of RAM.
#[derive(Debug, Clone)]
pub struct Region {
    /// Where the guest sees it.
    pub start: GuestAddress,
    /// Where the host has it.
    pub window: Window,
}

impl Region {
    /// Itself and an offset, if it holds a range whole.
    #[inline]
    fn holds(&self, start: GuestAddress, len: u64) -> Option<(&Self, usize)> {
        let offset = start.0.checked_sub(self.start.0)?;
        let size = self.window.len() as u64;
        (offset < size && len <= size - offset).then_some((self, offset as usize))
    }
}

/// All RAM of a guest. Clones share it.
#[derive(Debug, Clone)]
pub struct Ram {
    regions: Arc<[Region]>,
    /// Memory of devices (pmem) that the guest maps, too: no RAM, but a place for data of requests.
    beside: Arc<[(Region, Access)]>,
    pages: Pages,
}

impl Ram {
    /// Maps zeroed memory for `layout`: one mapping, whose pages cost nothing until they are touched.
    pub fn new(layout: &Layout, pages: Pages) -> Result<Self, MapError> {
        let size = usize::try_from(layout.size()).unwrap_or(usize::MAX);
        let whole = Mapping::anonymous(size, pages)?;
        // What a guest holds is not for a core file of its monitor.
        advise(whole.start(), whole.len(), libc::MADV_DONTDUMP);
        let mut offset = 0;
        let mut regions = Vec::with_capacity(layout.ranges().len());
        for &(start, len) in layout.ranges() {
            let window = whole.part(offset, len as usize).ok_or(MapError::Empty)?;
            offset += window.len();
            regions.push(Region { start, window });
        }
        Ok(Self { regions: regions.into(), beside: Arc::new([]), pages })
    }

    /// The same RAM, with device memory beside it that requests may name as well: a program reads a disk
    /// straight into a file that it has mapped with DAX. Of read-only memory devices may only read.
    pub fn with_extra_regions(&self, beside: impl IntoIterator<Item = (Region, Access)>) -> Self {
        Self { beside: beside.into_iter().collect(), ..self.clone() }
    }

    /// From now on, memory that is touched for the first time comes in large pages, if the RAM was made
    /// with [`Pages::Transparent`].
    ///
    /// A large page is cleared when it is touched, which takes as long as a whole small guest: the loader of a
    /// small kernel calls this afterwards, that of a large one before.
    pub fn prefer_large_pages(&self) {
        if self.pages == Pages::Transparent {
            for Region { window, .. } in self.regions.iter() {
                advise(window.start(), window.len(), libc::MADV_HUGEPAGE);
            }
        }
    }

    /// Its ranges in ascending order.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Whether both are the same RAM, not only equal in size and place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.regions, &other.regions)
    }

    /// Bytes of RAM.
    pub fn size(&self) -> u64 {
        self.regions.iter().map(|region| region.window.len() as u64).sum()
    }

    /// The window on a guest range, kept alive on its own: for rings and whatever else outlives a request.
    pub fn window(&self, start: GuestAddress, len: u64) -> Result<Window, OutOfRam> {
        let (region, offset) = self.find(start, len)?;
        region.window.part(offset, len as usize).ok_or(OutOfRam { start, len })
    }

    /// Copies from a guest range.
    pub fn read(&self, start: GuestAddress, out: &mut [u8]) -> Result<(), OutOfRam> {
        let (region, offset) = self.find(start, out.len() as u64)?;
        region.window.copy_to(offset, out);
        Ok(())
    }

    /// Copies into a guest range.
    pub fn write(&self, start: GuestAddress, bytes: &[u8]) -> Result<(), OutOfRam> {
        let (region, offset) = self.find(start, bytes.len() as u64)?;
        region.window.copy_from(offset, bytes);
        Ok(())
    }

    /// Reads `len` bytes of a file from `file_offset` on straight into a guest range. A file that
    /// ends early is an `UnexpectedEof`, a range outside of RAM an `InvalidInput`.
    pub fn load(&self, start: GuestAddress, len: u64, file: BorrowedFd<'_>, file_offset: u64) -> io::Result<()> {
        let (region, offset) =
            self.find(start, len).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut done = 0;
        while done < len {
            let at = region.window.part(offset + done as usize, (len - done) as usize);
            let at = at.ok_or(io::ErrorKind::InvalidInput)?;
            let position = i64::try_from(file_offset + done).map_err(|_| io::ErrorKind::InvalidInput)?;
            // SAFETY: the window is a live, checked range of at least the length that is passed.
            let got = unsafe { libc::pread(file.as_raw_fd(), at.start().as_ptr().cast(), at.len(), position) };
            match got {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                got if got < 0 => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                got => done += got as u64,
            }
        }
        Ok(())
    }

    /// The region of RAM that holds a range whole, and the offset in it. A range of no bytes must still
    /// begin inside.
    #[inline]
    fn find(&self, start: GuestAddress, len: u64) -> Result<(&Region, usize), OutOfRam> {
        let mut found = self.regions.iter().filter_map(|region| region.holds(start, len));
        found.next().ok_or(OutOfRam { start, len })
    }

    /// The same for the data of a request that is to be read, or written.
    #[inline]
    pub(crate) fn find_data(
        &self,
        start: GuestAddress,
        len: u64,
        access: Access,
    ) -> Result<(&Region, usize), OutOfRam> {
        self.find(start, len).or_else(|out_of_ram| {
            let allowed = |(_, allowed): &&(Region, Access)| access == Access::ReadOnly || *allowed == access;
            let mut found = self.beside.iter().filter(allowed).filter_map(|(region, _)| region.holds(start, len));
            found.next().ok_or(out_of_ram)
        })
    }
}

#[cfg(test)]
#[path = "ram_test.rs"]
mod tests;
