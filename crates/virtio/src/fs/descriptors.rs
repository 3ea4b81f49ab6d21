//! File descriptors that shares hold for a guest, counted: a guest that asks for more than there are gets `EMFILE`,
//! and the monitor keeps some for itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the rest of the monitor opens at most, in round figures: queues, disks, sockets.
const RESERVED: u64 = 1024;

/// A number of descriptors that several shares have together.
#[derive(Debug)]
pub struct Pool {
    left: AtomicUsize,
}

impl Pool {
    /// A pool of `count`.
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(count) })
    }

    /// That of this process, whose limit is raised as far as it may raise it. One for all machines in it.
    pub fn of_process() -> Arc<Self> {
        static POOL: LazyLock<Arc<Pool>> = LazyLock::new(|| {
            let before = getrlimit(Resource::Nofile);
            let raised = Rlimit { current: before.maximum, maximum: before.maximum };
            let limit = if setrlimit(Resource::Nofile, raised).is_ok() { before.maximum } else { before.current };
            // No limit at all is more than there can be.
            let limit = limit.unwrap_or(u64::from(u32::MAX));
            let left = limit.saturating_sub(RESERVED).max(limit / 2);
            Pool::new(usize::try_from(left).unwrap_or(usize::MAX))
        });
        Arc::clone(&POOL)
    }

    /// Opens something, if there is room for it.
    pub fn open(self: &Arc<Self>, open: impl FnOnce() -> Result<OwnedFd, Errno>) -> Result<Descriptor, Errno> {
        let less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).map_err(|_| Errno::MFILE)?;
        let permit = Permit(Arc::clone(self));
        Ok(Descriptor { fd: open()?, _permit: permit })
    }
}

/// The right to one descriptor.
#[derive(Debug)]
struct Permit(Arc<Pool>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::Relaxed);
    }
}

/// An open file that counts.
#[derive(Debug)]
pub struct Descriptor {
    // Closed before the permit is given back: fields drop in this order.
    fd: OwnedFd,
    _permit: Permit,
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null() -> Result<OwnedFd, Errno> {
        rustix::fs::open("/dev/null", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty())
    }

    #[test]
    fn what_is_closed_can_be_opened_again_and_what_failed_does_not_count() {
        let pool = Pool::new(2);
        let first = pool.open(null).unwrap();
        assert_eq!(pool.open(|| Err(Errno::NOENT)).unwrap_err(), Errno::NOENT);
        let _second = pool.open(null).unwrap();
        assert_eq!(pool.open(null).unwrap_err(), Errno::MFILE);
        drop(first);
        assert!(pool.open(null).is_ok());
    }
}
