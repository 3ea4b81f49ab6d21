//! What is taken from the whole process, for good: core dumps, ptrace, more descriptors than it may have now, and
//! descriptors that it inherited without being told of them.

use std::io;
use std::os::fd::RawFd;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::error::{JailError, refused};
use crate::wall::{Wall, Walls};

/// Takes them. Threads that exist already are covered too.
pub fn confine() -> Result<Walls, JailError> {
    // A dump would hold the guest's memory, and a process that can be dumped can be traced by the user's others.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("make the process not dumpable"))?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(refused("limit core files to none"))?;
    let now = getrlimit(Resource::Nofile).current;
    setrlimit(Resource::Nofile, Rlimit { current: now, maximum: now }).map_err(refused("limit descriptors"))?;
    Ok([Wall::NotDumpable, Wall::Limits].into_iter().collect())
}

/// The first descriptor behind standard input, output and error.
const FIRST: RawFd = 3;

/// Closes what was inherited beside the three standard descriptors and those `kept`. For the start of a program, before
/// anything of its own is open.
pub fn close_inherited(kept: &[RawFd]) -> Result<(), JailError> {
    let mut kept: Vec<_> = kept.iter().copied().filter(|&fd| fd >= FIRST).collect();
    kept.sort_unstable();
    let mut from = FIRST;
    for fd in kept {
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = from.max(fd.saturating_add(1));
    }
    close_range(from, RawFd::MAX)
}

fn close_range(first: RawFd, last: RawFd) -> Result<(), JailError> {
    // SAFETY: the caller has opened nothing yet, so no value of this program owns any of these descriptors.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    match result {
        0 => Ok(()),
        // Linux before 5.9: what was inherited stays open, as it does in every program there.
        _ if io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        _ => Err(refused("close inherited descriptors")(io::Error::last_os_error())),
    }
}

#[cfg(test)]
#[path = "process_test.rs"]
mod tests;
