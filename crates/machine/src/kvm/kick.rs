//! How another thread gets a vCPU out of the guest.
//!
//! A kick first sets `immediate_exit`, then signals the thread if it is inside of `run`. So it is never
//! lost: a thread that is still on its way to `KVM_RUN` finds the flag there, one that is in the guest
//! gets the signal, and one that is elsewhere finds the flag when it comes back. The flag is taken back
//! only by the `run` that returns `Interrupted` for it.
//! The signal goes by thread id and only while `run` says that it is inside, so a thread that has ended
//! is not signalled; should it end in that very moment, its id is unused, or the handler, which is a
//! no-op, runs in another thread of ours.

use std::sync::Weak;

use super::core::Core;

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
