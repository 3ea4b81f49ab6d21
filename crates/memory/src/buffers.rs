//! The data of one request: a reusable list of checked ranges of guest memory.
//!
//! Offsets count bytes from the front of the list as it is now. Nothing is allocated once a list has
//! grown to the size of its longest request, and the kernel reads and writes the ranges in place.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::{Access, GuestAddress, OutOfRam, Ram};

/// Fewer bytes than an access asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes at offset {offset} of a buffer of {len} bytes")]
pub struct Short {
    /// Where the access began.
    pub offset: usize,
    /// How many bytes it wanted.
    pub wanted: usize,
    /// How many the list holds.
    pub len: usize,
}

/// Ranges of guest memory in the order in which a request uses them.
pub struct Buffers {
    /// Keeps every range mapped.
    ram: Ram,
    /// Live ranges are `ranges[first..]`; those before were consumed by `advance`.
    ranges: Vec<libc::iovec>,
    first: usize,
    len: usize,
    /// For calls that take other ranges than all: empty between them, and kept so that a request allocates nothing.
    spare: Vec<libc::iovec>,
}

// SAFETY: the raw pointers of the ranges point into `ram`, which is kept alive beside them and may be
// used from any thread.
unsafe impl Send for Buffers {}

impl Buffers {
    /// An empty list over `ram`.
    pub fn new(ram: Ram) -> Self {
        Self { ram, ranges: Vec::new(), first: 0, len: 0, spare: Vec::new() }
    }

    /// Bytes in the list.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes are in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Empties the list and keeps its storage.
    pub fn clear(&mut self) {
        self.ranges.clear();
        (self.first, self.len) = (0, 0);
    }

    /// Appends a guest range, which is only read or written as well. Ranges of no bytes are dropped; the sum stays below `u32::MAX`, the
    /// most that a used ring can report (VirtIO 1.3 § 2.7.8).
    pub fn push(&mut self, start: GuestAddress, len: u32, access: Access) -> Result<(), OutOfRam> {
        let out_of_ram = OutOfRam { start, len: len.into() };
        if len == 0 {
            return Ok(());
        }
        let (region, offset) = self.ram.find_data(start, len.into(), access)?;
        let window = &region.window;
        let total = self.len + len as usize;
        if total > u32::MAX as usize {
            return Err(out_of_ram);
        }
        let base = window.start().as_ptr().wrapping_add(offset);
        self.ranges.push(libc::iovec { iov_base: base.cast(), iov_len: len as usize });
        self.len = total;
        Ok(())
    }

    /// How many ranges it has: what a system call may take at most is `IOV_MAX` of them.
    pub fn ranges(&self) -> usize {
        self.iovecs().len()
    }

    /// Appends the ranges of another list over the same RAM, which keeps them: for data that goes on
    /// from one request to the next. The sum may pass what `push` allows.
    pub fn append(&mut self, other: &Self) {
        // The ranges stay mapped because both lists hold the RAM that they point into.
        assert!(self.ram.is(&other.ram), "lists over different RAM");
        // What was consumed makes room once it is half of the list: each range moves once on average.
        if self.first > self.ranges.len() / 2 {
            self.ranges.drain(..self.first);
            self.first = 0;
        }
        self.ranges.extend_from_slice(other.iovecs());
        self.len += other.len;
    }

    /// Copies bytes out of the request, from `offset` on.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) -> Result<(), Short> {
        let mut done = 0;
        self.each(offset, out.len(), |at, len| {
            let to = out[done..done + len].as_mut_ptr();
            // SAFETY: `each` gives live ranges of guest memory; `out` is ours, as long, and elsewhere.
            unsafe { std::ptr::copy_nonoverlapping(at, to, len) };
            done += len;
        })
    }

    /// Copies bytes into the request, from `offset` on.
    pub fn copy_from(&self, offset: usize, bytes: &[u8]) -> Result<(), Short> {
        let mut done = 0;
        self.each(offset, bytes.len(), |at, len| {
            let from = bytes[done..done + len].as_ptr();
            // SAFETY: as for `copy_to`, the other way round.
            unsafe { std::ptr::copy_nonoverlapping(from, at, len) };
            done += len;
        })
    }

    /// Sets every byte of the request to `byte`.
    pub fn fill(&self, byte: u8) {
        for range in self.iovecs() {
            // SAFETY: live ranges of guest memory, to which there are no references.
            unsafe { std::ptr::write_bytes(range.iov_base.cast::<u8>(), byte, range.iov_len) };
        }
    }

    fn each(&self, offset: usize, wanted: usize, mut visit: impl FnMut(*mut u8, usize)) -> Result<(), Short> {
        let short = Short { offset, wanted, len: self.len };
        let end = offset.checked_add(wanted).filter(|&end| end <= self.len).ok_or(short)?;
        let mut start = 0;
        for range in self.iovecs() {
            if start >= end {
                break;
            }
            let from = offset.max(start);
            let to = end.min(start + range.iov_len);
            if from < to {
                visit(range.iov_base.cast::<u8>().wrapping_add(from - start), to - from);
            }
            start += range.iov_len;
        }
        Ok(())
    }

    /// Drops the first `bytes` of the list.
    pub fn advance(&mut self, bytes: usize) -> Result<(), Short> {
        if bytes > self.len {
            return Err(Short { offset: 0, wanted: bytes, len: self.len });
        }
        let mut left = bytes;
        while left > 0 {
            let range = &mut self.ranges[self.first];
            let step = left.min(range.iov_len);
            range.iov_base = range.iov_base.cast::<u8>().wrapping_add(step).cast();
            range.iov_len -= step;
            left -= step;
            if range.iov_len == 0 {
                self.first += 1;
            }
        }
        self.len -= bytes;
        Ok(())
    }

    /// Moves everything from `offset` on into `tail`, which must be empty and of the same RAM: it is
    /// what keeps the ranges mapped.
    pub fn split_off(&mut self, offset: usize, tail: &mut Self) -> Result<(), Short> {
        if offset > self.len {
            return Err(Short { offset, wanted: 0, len: self.len });
        }
        assert!(self.ram.is(&tail.ram), "split into a list of other RAM");
        debug_assert!(tail.is_empty(), "split into a list that is in use");
        tail.clear();
        let moved = self.len - offset;
        let mut left = moved;
        let mut keep = self.ranges.len();
        // From the back: whole ranges move, the one at the border is cut.
        while left > 0 {
            keep -= 1;
            let range = &mut self.ranges[keep];
            let step = left.min(range.iov_len);
            range.iov_len -= step;
            let base = range.iov_base.cast::<u8>().wrapping_add(range.iov_len).cast();
            tail.ranges.push(libc::iovec { iov_base: base, iov_len: step });
            left -= step;
            if range.iov_len > 0 {
                keep += 1;
            }
        }
        self.ranges.truncate(keep);
        tail.ranges.reverse();
        (self.len, tail.len) = (offset, moved);
        Ok(())
    }

    /// Reads a file into the request, from `position` in the file or from where a stream stands. One
    /// system call: it may be short, or interrupted, or find nothing yet.
    pub fn read_from(&self, file: BorrowedFd<'_>, position: Option<u64>) -> io::Result<usize> {
        let (ranges, count) = self.for_kernel();
        let got = match position.map(offset).transpose()? {
            // SAFETY: the ranges are live guest memory for as long as `ram` is held.
            Some(position) => unsafe { libc::preadv(file.as_raw_fd(), ranges, count, position) },
            // SAFETY: as above.
            None => unsafe { libc::readv(file.as_raw_fd(), ranges, count) },
        };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    /// Reads one datagram from a socket or a tap into the front of the list: its length, or `None` for
    /// one that was longer than the list and is cut. One system call, which may find nothing yet.
    pub fn read_datagram(&mut self, file: BorrowedFd<'_>) -> io::Result<Option<usize>> {
        // One byte more than there is room for tells a datagram that fits from one that was cut.
        let mut beyond = 0_u8;
        if self.ranges() >= libc::UIO_MAXIOV as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.ranges.push(libc::iovec { iov_base: (&raw mut beyond).cast(), iov_len: 1 });
        let got = self.read_from(file, None);
        self.ranges.pop();
        Ok(Some(got?).filter(|&got| got <= self.len))
    }

    /// Reads a stream into `len` bytes of the list from `offset` on, and what follows into `beyond`. One system call,
    /// which may be short, or find nothing yet.
    pub fn read_part(
        &mut self,
        file: BorrowedFd<'_>,
        offset: usize,
        len: usize,
        beyond: &mut [u8],
    ) -> io::Result<usize> {
        let end = offset.checked_add(len).filter(|&end| end <= self.len).ok_or(io::ErrorKind::InvalidInput)?;
        let (mut call, mut start) = (Vec::new(), 0);
        std::mem::swap(&mut call, &mut self.spare);
        for range in &self.ranges[self.first..] {
            let (from, to) = (offset.max(start), end.min(start + range.iov_len));
            if from < to {
                let base = range.iov_base.cast::<u8>().wrapping_add(from - start);
                call.push(libc::iovec { iov_base: base.cast(), iov_len: to - from });
            }
            start += range.iov_len;
        }
        let most = libc::UIO_MAXIOV as usize;
        if call.len() < most {
            call.push(libc::iovec { iov_base: beyond.as_mut_ptr().cast(), iov_len: beyond.len() });
        }
        // SAFETY: the ranges are parts of live guest memory, and `beyond` is ours until the call returns.
        let got = unsafe { libc::readv(file.as_raw_fd(), call.as_ptr(), call.len().min(most) as i32) };
        call.clear();
        self.spare = call;
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    /// Writes `head` and then the list from `offset` on to a stream. One system call, which may be short, or find no
    /// room.
    pub fn write_behind(&mut self, file: BorrowedFd<'_>, head: &[u8], offset: usize) -> io::Result<usize> {
        let (mut call, mut start) = (Vec::new(), 0);
        std::mem::swap(&mut call, &mut self.spare);
        call.push(libc::iovec { iov_base: head.as_ptr().cast_mut().cast(), iov_len: head.len() });
        for range in &self.ranges[self.first..] {
            let from = offset.max(start);
            let end = start + range.iov_len;
            if from < end {
                let base = range.iov_base.cast::<u8>().wrapping_add(from - start);
                call.push(libc::iovec { iov_base: base.cast(), iov_len: end - from });
            }
            start = end;
        }
        let count = call.len().min(libc::UIO_MAXIOV as usize) as i32;
        // SAFETY: the ranges are parts of live guest memory; writev reads them, and `head`, and writes neither.
        let put = unsafe { libc::writev(file.as_raw_fd(), call.as_ptr(), count) };
        call.clear();
        self.spare = call;
        usize::try_from(put).map_err(|_| io::Error::last_os_error())
    }

    /// Writes the request to a file, at `position` or where a stream stands. One system call: it may
    /// be short, or interrupted, or find no room.
    pub fn write_to(&self, file: BorrowedFd<'_>, position: Option<u64>) -> io::Result<usize> {
        let (ranges, count) = self.for_kernel();
        let put = match position.map(offset).transpose()? {
            // SAFETY: the ranges are live guest memory for as long as `ram` is held.
            Some(position) => unsafe { libc::pwritev(file.as_raw_fd(), ranges, count, position) },
            // SAFETY: as above.
            None => unsafe { libc::writev(file.as_raw_fd(), ranges, count) },
        };
        usize::try_from(put).map_err(|_| io::Error::last_os_error())
    }

    /// Like [`Buffers::write_to`], but what it says was written is on stable storage.
    pub fn write_stable(&self, file: BorrowedFd<'_>, position: u64) -> io::Result<usize> {
        let ((ranges, count), position) = (self.for_kernel(), offset(position)?);
        // SAFETY: the ranges are live guest memory for as long as `ram` is held.
        let put = unsafe { libc::pwritev2(file.as_raw_fd(), ranges, count, position, libc::RWF_DSYNC) };
        usize::try_from(put).map_err(|_| io::Error::last_os_error())
    }

    /// The ranges as the kernel takes them, at most `IOV_MAX` of them at once.
    pub(crate) fn for_kernel(&self) -> (*const libc::iovec, i32) {
        let ranges = self.iovecs();
        (ranges.as_ptr(), ranges.len().min(libc::UIO_MAXIOV as usize) as i32)
    }

    pub(crate) fn iovecs(&self) -> &[libc::iovec] {
        &self.ranges[self.first..]
    }
}

fn offset(position: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(position).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffers({} bytes in {} ranges)", self.len, self.iovecs().len())
    }
}

#[cfg(test)]
#[path = "buffers_test.rs"]
mod tests;
