//! Register pages that become memory of the guest when it first looks at them.
//!
//! The first look is an exit, which the monitor answers itself; from then on KVM shows the page and
//! reads cost nothing. A guest that never looks never pays for the slots: making and unmaking them would
//! be a tenth of the life of the smallest machines.

use std::sync::{Arc, Once};

use illico_memory::{GuestAddress, Window};
use illico_virtio::complaints::say;

use crate::kvm::Vm;

/// A page, or several in a row, that the guest sees read-only.
#[derive(Debug)]
pub struct FirstLook {
    vm: Arc<Vm>,
    at: GuestAddress,
    window: Window,
    seen: Once,
}

impl FirstLook {
    /// `window` at `at`, from the first look on.
    pub fn new(vm: Arc<Vm>, at: GuestAddress, window: Window) -> Self {
        Self { vm, at, window, seen: Once::new() }
    }

    /// The memory itself.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The guest has looked. A slot that KVM refuses costs exits, and no more: each look comes here again.
    pub fn seen(&self) {
        self.seen.call_once(|| {
            if let Err(error) = self.vm.map_window(self.at, &self.window, false) {
                say(&format!("reads at {} go on to exit: {error}", self.at));
            }
        });
    }
}
