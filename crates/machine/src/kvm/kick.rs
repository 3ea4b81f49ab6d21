//! How another thread gets a vCPU out of the guest.
//!
//! A kick first sets `immediate_exit`, then signals the thread if it is inside of `run`. So it is never
//! lost: a thread that is still on its way to `KVM_RUN` finds the flag there, one that is in the guest
//! gets the signal, and one that is elsewhere finds the flag when it comes back. The flag is taken back
//! only by the `run` that returns `Interrupted` for it.
//! The signal goes by thread id and only while `run` says that it is inside, so a thread that has ended
//! is not signalled; should it end in that very moment, its id belongs to nobody, or the handler that
//! does nothing does nothing in another thread of ours.

use std::cell::Cell;
use std::io;
use std::sync::Weak;
use std::sync::atomic::{AtomicI32, Ordering};

use super::vcpu::Core;

/// Gets one vCPU out of the guest, from any thread. Once the vCPU is gone it does nothing.
#[derive(Clone)]
pub struct Kick(pub(super) Weak<Core>);

impl Kick {
    /// Makes `Vcpu::run` return `Interrupted` as soon as it can: the present call, or else the next.
    pub fn kick(&self) {
        if let Some(core) = self.0.upgrade() {
            core.page.ask_to_leave();
            core.inside.signal();
        }
    }
}

impl std::fmt::Debug for Kick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kick")
    }
}

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

    fn signal(&self) {
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
