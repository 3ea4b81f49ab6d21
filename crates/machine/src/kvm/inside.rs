//! Which thread is inside of `KVM_RUN` for a vCPU, and the signal that gets it out.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

/// Which thread is inside of `run`, or 0.
#[derive(Default)]
pub(super) struct Inside(AtomicI32);

impl Inside {
    pub(super) fn come_in(&self) {
        // SeqCst against `ask_to_leave`: either the kicker sees this thread, or this thread's KVM_RUN
        // sees the flag.
        self.0.store(thread_id(), Ordering::SeqCst);
    }

    pub(super) fn go_out(&self) {
        self.0.store(0, Ordering::Release);
    }

    pub(super) fn signal(&self) {
        let thread = self.0.load(Ordering::SeqCst);
        if thread != 0 {
            // SAFETY: plain numbers; the signal has had a handler since the vCPU was made.
            unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, libc::SIGRTMIN()) };
        }
    }
}

fn thread_id() -> i32 {
    thread_local!(static ID: Cell<i32> = const { Cell::new(0) });
    ID.with(|id| {
        if id.get() == 0 {
            // SAFETY: takes nothing and cannot fail.
            id.set(unsafe { libc::gettid() });
        }
        id.get()
    })
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// Gives the kick's signal a handler, once: without one it would end the process.
pub(super) fn install_handler() -> io::Result<()> {
    static INSTALLED: std::sync::Mutex<bool> = std::sync::Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*installed {
        // SAFETY: all zeroes is a `sigaction` with an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        // KVM_RUN ends with EINTR all the same; other calls need not notice.
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: a valid action, whose handler does nothing and so is safe at any moment.
        let result = unsafe { libc::sigaction(libc::SIGRTMIN(), &raw const action, std::ptr::null_mut()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        *installed = true;
    }
    Ok(())
}
