//! Register pages whose memory slot is made lazily, at the guest's first read.
//!
//! That read is an exit, which the monitor answers itself; from then on the guest reads memory, without exits. A guest
//! that never reads never pays for the slots: making and unmaking them would take a tenth of the life of the smallest
//! machines.

use std::sync::{Arc, Once};

use illico_memory::{GuestAddress, Window};
use illico_virtio::complaints::say;

use crate::kvm::Vm;

/// A page, or several in a row, that the guest sees read-only.
#[derive(Debug)]
pub struct LazySlot {
    vm: Arc<Vm>,
    at: GuestAddress,
    window: Window,
    mapped: Once,
}

impl LazySlot {
    /// `window` at `at`, from the first access on.
    pub fn new(vm: Arc<Vm>, at: GuestAddress, window: Window) -> Self {
        Self { vm, at, window, mapped: Once::new() }
    }

    /// The memory itself.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Makes the slot at the first access. A slot that KVM refuses costs exits, and no more: each access comes here again.
    pub fn touch(&self) {
        self.mapped.call_once(|| {
            if let Err(error) = self.vm.map_window(self.at, &self.window, false) {
                say(&format!("reads at {} go on to exit: {error}", self.at));
            }
        });
    }
}
