//! A file that a console reads or writes without holding up its loop.
//!
//! A shell hands out one open file description for input, output and errors, and shares it with every
//! other program of the terminal. Setting `O_NONBLOCK` on it would reach all of them, and stay set after
//! the monitor is gone. So, in this order:
//!
//! 1. a file that is non-blocking already is used as it is;
//! 2. a pipe or a terminal is opened anew through `/proc/self/fd`: the same pipe, but a description of
//!    our own that may be non-blocking;
//! 3. where that is not possible (a socket, a terminal that belongs to another user) the kernel is asked
//!    before each transfer, and a write stays within `PIPE_BUF`, which is what "writable" promises of a pipe
//!    (pipe(7)) and a small part of what it promises of a socket;
//! 4. a file that cannot be watched (regular, `/dev/null`) does not keep anyone waiting: plain calls do.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use illico_memory::Buffers;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, makedev};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

use crate::complaints::say;
use crate::event_loop::Source;

/// What a transfer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// So many bytes, at least one.
    Moved(usize),
    /// None now. The source tells when it is worth another try.
    NotNow,
    /// None ever again.
    Over,
}

/// One end of a console.
#[derive(Debug)]
pub(super) struct Stream {
    file: File,
    /// Which readiness lets a transfer go on.
    events: EventSet,
    nonblocking: bool,
    watchable: bool,
    /// End of input, or no reader of the output is left. It outlives a reset of the device.
    over: AtomicBool,
    /// Bytes that may still be written, where there is a limit: behind it nothing is.
    room: Option<AtomicU64>,
}

/// A transfer at most: what a pipe holds, and a bound on how long a regular file keeps the loop.
const MAX_KEPT: usize = 64 << 10;
/// pipe(7): a write of no more than this does not wait once the pipe is writable.
const PIPE_BUF: usize = 4096;
/// How long a single character may wait in an emergency.
const EMERGENCY_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

impl Stream {
    pub(super) fn input(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd, EventSet::IN)
    }

    pub(super) fn output(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd, EventSet::OUT)
    }

    /// An output that takes about so many bytes, and forgets the rest.
    pub(super) fn limited(fd: OwnedFd, most: u64) -> io::Result<Self> {
        Ok(Self { room: Some(AtomicU64::new(most)), ..Self::output(fd)? })
    }

    fn new(fd: OwnedFd, events: EventSet) -> io::Result<Self> {
        let mut file = File::from(fd);
        let mut nonblocking = fcntl_getfl(&file)?.contains(OFlags::NONBLOCK);
        if !nonblocking
            && may_be_opened_anew(&file)?
            && let Ok(own) = open_anew(&file, events)
        {
            (file, nonblocking) = (own, true);
        }
        let watchable = is_watchable(&file)?;
        Ok(Self { file, events, nonblocking, watchable, over: AtomicBool::new(false), room: None })
    }

    /// What to watch, if it can be watched.
    pub(super) fn source(&self) -> Option<Source> {
        self.watchable.then(|| Source { fd: self.file.as_raw_fd(), events: self.events })
    }

    /// Bytes that a transfer may have at most.
    pub(super) fn most(&self) -> usize {
        if self.asks_first() && self.events == EventSet::OUT { PIPE_BUF } else { MAX_KEPT }
    }

    /// Whether it has ended for good.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Reads into guest memory.
    pub(super) fn read_into(&self, buffers: &Buffers) -> Transfer {
        self.transfer(|| buffers.read_from(self.file.as_fd(), None))
    }

    /// Writes from guest memory.
    pub(super) fn write_from(&self, buffers: &Buffers) -> Transfer {
        self.wrote(self.transfer(|| buffers.write_to(self.file.as_fd(), None)))
    }

    /// Reads into memory of our own.
    pub(super) fn read(&self, bytes: &mut [u8]) -> Transfer {
        self.transfer(|| (&self.file).read(bytes))
    }

    /// Writes memory of our own.
    pub(super) fn write(&self, bytes: &[u8]) -> Transfer {
        let bytes = bytes.get(..self.most()).unwrap_or(bytes);
        self.wrote(self.transfer(|| (&self.file).write(bytes)))
    }

    /// Waits until a transfer is worth a try, however long that takes.
    pub(super) fn wait_for_room(&self) {
        self.wait(None);
    }

    /// One emergency character (`emerg_wr`), on the thread of the vCPU that writes it. It waits briefly, and is dropped
    /// where the output takes nothing.
    pub(super) fn write_emergency(&self, character: u8) {
        if !self.is_over() && self.wait(Some(&EMERGENCY_WAIT)) {
            self.wrote(self.transfer(|| (&self.file).write(&[character])));
        }
    }

    /// Counts what was written.
    fn wrote(&self, transfer: Transfer) -> Transfer {
        if let (Some(room), Transfer::Moved(bytes)) = (&self.room, transfer) {
            // Two that count at once may both be let through once more: the limit is no exact one.
            let left = room.load(Ordering::Relaxed).saturating_sub(bytes as u64);
            room.store(left, Ordering::Relaxed);
            if left == 0 {
                self.over.store(true, Ordering::Relaxed);
            }
        }
        transfer
    }

    fn transfer(&self, mut call: impl FnMut() -> io::Result<usize>) -> Transfer {
        if self.is_over() {
            return Transfer::Over;
        }
        loop {
            if self.asks_first() && !self.wait(Some(&Timespec::default())) {
                return Transfer::NotNow;
            }
            match call() {
                Ok(0) => return self.end(None),
                Ok(moved) => return Transfer::Moved(moved),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.watchable => return Transfer::NotNow,
                Err(error) => return self.end(Some(&error)),
            }
        }
    }

    fn asks_first(&self) -> bool {
        self.watchable && !self.nonblocking
    }

    /// Whether a transfer is worth a try, at the latest after `timeout`.
    fn wait(&self, timeout: Option<&Timespec>) -> bool {
        let flags = if self.events == EventSet::OUT { PollFlags::OUT } else { PollFlags::IN };
        // Where poll itself fails there is nothing to wait for: the transfer will say why.
        poll(&mut [PollFd::new(&self.file, flags)], timeout).map_or(true, |ready| ready > 0)
    }

    /// The usual ends, of input or of a pipe's other side, are not logged.
    fn end(&self, error: Option<&io::Error>) -> Transfer {
        let first = !self.over.swap(true, Ordering::Relaxed);
        if let Some(error) = error
            && first
            && self.events == EventSet::OUT
            && !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
        {
            say(&format!("console: writing: {error}; what the guest writes is lost from here"));
        }
        Transfer::Over
    }
}

/// Whether opening it by name gives the same pipe or terminal once more.
fn may_be_opened_anew(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    // /dev/ptmx makes another terminal each time that it is opened.
    let is_ptmx = metadata.rdev() == makedev(5, 2);
    Ok(metadata.file_type().is_fifo() || file.is_terminal() && !is_ptmx)
}

fn open_anew(file: &File, events: EventSet) -> io::Result<File> {
    OpenOptions::new()
        .read(events == EventSet::IN)
        .write(events == EventSet::OUT)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Whether epoll takes it: it refuses files that are always ready.
fn is_watchable(file: &File) -> io::Result<bool> {
    let event = EpollEvent::new(EventSet::IN, 0);
    match Epoll::new()?.ctl(ControlOperation::Add, file.as_raw_fd(), event) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "stream_test.rs"]
pub(super) mod tests;
