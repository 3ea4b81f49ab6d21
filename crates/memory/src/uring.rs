//! Transfers between guest memory and one file that go on while the caller does something else
//! (io_uring), and the rule that makes them safe: a ring owns the memory of what is in flight.
//!
//! The owner of a transfer is moved into the ring with its buffers and comes out with the completion, never
//! earlier, and a ring that is dropped waits for what is in flight. So the kernel never writes to freed memory.
//! Continuing a short transfer is left to the caller, as with the calls that wait.

#![allow(clippy::expect_used, reason = "what is expected fails only by a bug of the monitor or of the kernel")]

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use io_uring::squeue::Entry;
use io_uring::{IoUring, opcode, types};

use crate::Buffers;

/// What to do with a range of a file without touching memory (`fallocate(2)`); its size stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocate {
    /// Give its blocks back; it reads as zeros afterwards.
    PunchHole,
    /// Make it read as zeros and keep its blocks.
    ZeroRange,
}

/// A request that is done.
#[derive(Debug)]
pub struct Completion<T> {
    /// The owner of the transfer.
    pub owner: T,
    /// Bytes transferred, fewer than wanted perhaps, or why it failed.
    pub result: io::Result<usize>,
}

/// An io_uring for one file.
pub struct Uring<T: 'static> {
    ring: IoUring,
    /// Open for as long as requests name it.
    file: Arc<File>,
    depth: usize,
    /// The owners of what is in flight, by a number that the kernel hands back with the completion.
    flights: Vec<Option<T>>,
    /// Numbers not in use.
    free: Vec<usize>,
}

impl<T: 'static> Uring<T> {
    /// A ring for up to `depth` requests at a time. Fails where the kernel has no io_uring, or this process may
    /// not use it.
    pub fn new(file: Arc<File>, depth: u16) -> io::Result<Self> {
        // COOP_TASKRUN (Linux 5.19): a completion waits for the next system call of this thread
        // instead of interrupting it; the thread makes one soon, or sleeps and is woken.
        let ring = IoUring::builder().setup_coop_taskrun().build(depth.into())?;
        Ok(Self { ring, file, depth: depth.into(), flights: Vec::new(), free: Vec::new() })
    }

    /// Requests begun and not yet taken out by `completion`.
    pub fn in_flight(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    /// Whether one more request may begin.
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.depth
    }

    /// Begins to fill the buffers of `owner` that `data` picks, from `position` in the file.
    pub fn read(&mut self, position: u64, owner: T, data: impl FnOnce(&T) -> &Buffers) {
        self.begin(owner, |owner, fd| {
            let (ranges, count) = data(owner).for_kernel();
            opcode::Readv::new(fd, ranges, count as u32).offset(position).build()
        });
    }

    /// Begins to write the buffers of `owner` that `data` picks to `position` in the file; `stable`
    /// where they must be on stable storage when it completes.
    pub fn write(&mut self, position: u64, stable: bool, owner: T, data: impl FnOnce(&T) -> &Buffers) {
        let flags = if stable { libc::RWF_DSYNC } else { 0 };
        self.begin(owner, |owner, fd| {
            let (ranges, count) = data(owner).for_kernel();
            opcode::Writev::new(fd, ranges, count as u32).offset(position).rw_flags(flags).build()
        });
    }

    /// Begins to put everything that was written on stable storage (`fdatasync(2)`). Writes that have
    /// not completed when this begins are not waited for.
    pub fn data_sync(&mut self, owner: T) {
        self.begin(owner, |_, fd| opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build());
    }

    /// Begins to change how `len` bytes from `position` on are stored.
    pub fn allocate(&mut self, how: Allocate, position: u64, len: u64, owner: T) {
        let how = match how {
            Allocate::PunchHole => libc::FALLOC_FL_PUNCH_HOLE,
            Allocate::ZeroRange => libc::FALLOC_FL_ZERO_RANGE,
        };
        let mode = how | libc::FALLOC_FL_KEEP_SIZE;
        self.begin(owner, |_, fd| opcode::Fallocate::new(fd, len).offset(position).mode(mode).build());
    }

    fn begin(&mut self, owner: T, entry: impl FnOnce(&T, types::Fd) -> Entry) {
        assert!(self.has_room(), "a request more than the {} that the ring is for", self.depth);
        let number = self.free.pop().unwrap_or_else(|| {
            self.flights.push(None);
            self.flights.len() - 1
        });
        let owner = self.flights[number].insert(owner);
        let entry = entry(owner, types::Fd(self.file.as_raw_fd())).user_data(number as u64);
        // SAFETY: what the entry points to stays where it is until its completion was taken out. The
        // file is held by `self`. A list of ranges is heap storage of `Buffers` that `owner` lends,
        // and with it the guest memory that the ranges name; `owner` is 'static, lies in `flights`
        // where no other code can change or drop it (moving it moves no storage), and `drop`
        // waits. A ring that is leaked leaks its flights.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        // At most `depth` are in flight, and the queue has at least as many entries.
        pushed.expect("the submission queue has room for every request in flight");
    }

    /// Hands everything that was begun to the kernel: one system call, or none where that is nothing.
    /// Gives whether there was anything.
    ///
    /// A kernel that is short of memory may leave requests behind (`WouldBlock`, `ResourceBusy`): they
    /// go with the next call.
    pub fn submit(&mut self) -> io::Result<bool> {
        let any = !self.ring.submission().is_empty();
        while !self.ring.submission().is_empty() {
            match self.ring.submit() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => drop(other?),
            }
        }
        Ok(any)
    }

    /// Hands everything to the kernel and waits until there is a completion to be taken out. Not to
    /// be called with nothing in flight.
    pub fn wait(&mut self) -> io::Result<()> {
        while !self.has_completion() {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ResourceBusy) => {
                    std::thread::yield_now();
                }
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// Whether there is a completion to be taken out. Costs a few loads.
    pub fn has_completion(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// Takes out a request that is done.
    pub fn completion(&mut self) -> Option<Completion<T>> {
        let entry = self.ring.completion().next()?;
        let number = entry.user_data() as usize;
        let owner = self.flights[number].take().expect("the kernel completes a request once");
        self.free.push(number);
        let result = usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        Some(Completion { owner, result })
    }
}

impl<T: 'static> AsRawFd for Uring<T> {
    /// Readable while there are completions.
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

impl<T: 'static> Drop for Uring<T> {
    fn drop(&mut self) {
        while self.in_flight() > 0 {
            if self.wait().is_err() {
                // The kernel may still write to the memory of these requests: it is never given back.
                std::mem::forget(std::mem::take(&mut self.flights));
                return;
            }
            while self.completion().is_some() {}
        }
    }
}

impl<T: 'static> std::fmt::Debug for Uring<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uring({} of {} in flight)", self.in_flight(), self.depth)
    }
}

#[cfg(test)]
#[path = "uring_test.rs"]
mod tests;
