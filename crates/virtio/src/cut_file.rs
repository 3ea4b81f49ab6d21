//! Notices that a file which is mapped for the guest was cut short by another program.
//!
//! A page beyond the file's end cannot be provided. KVM does not always say so: a guest with interrupts enabled is halted until the
//! page is there (asynchronous page faults), finds that it is not, and begins anew, for ever. So the kernel is asked to tell of
//! changes of the file's length (inotify(7)). What the guest itself writes to the mapping is no such change.
//!
//! Not noticed: a cut made on another host of a network file system, and a disk that fails.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::fs::fstat;
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::read;
use rustix::path::DecInt;

/// The watch over one file.
#[derive(Debug)]
pub(crate) struct CutFile {
    inotify: OwnedFd,
}

impl CutFile {
    /// Watches a file. `None` where the kernel has no watch left for this user: the machine runs without one.
    pub(crate) fn watch(file: &File) -> Option<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        let mut path = b"/proc/self/fd/".to_vec();
        path.extend_from_slice(DecInt::from_fd(file).as_bytes());
        add_watch(&inotify, path, WatchFlags::MODIFY).ok()?;
        Some(Self { inotify })
    }

    /// Takes what the kernel tells. Whether the file is shorter than `len` now.
    pub(crate) fn is_shorter(&self, file: &File, len: u64) -> bool {
        let mut events = [MaybeUninit::<u8>::uninit(); 4096];
        let _ = read(&self.inotify, &mut events[..]);
        fstat(file).is_ok_and(|data| u64::try_from(data.st_size).is_ok_and(|now| now < len))
    }

    /// Raises SIGBUS, as an access of this process to the lost pages would; the program that runs the machine may handle it.
    ///
    /// No access is made: Rust's own handler, which a later one is chained to, gives SIGBUS its default back, and an access that is
    /// repeated would then end the process before its handler has restored a terminal.
    #[allow(unsafe_code)]
    pub(crate) fn end() {
        // SAFETY: raise(3) takes a number and touches no memory of this program.
        unsafe { libc::raise(libc::SIGBUS) };
    }
}

impl AsRawFd for CutFile {
    fn as_raw_fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }
}

#[cfg(test)]
#[path = "cut_file_test.rs"]
mod tests;
