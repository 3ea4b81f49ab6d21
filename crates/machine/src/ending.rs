//! Why a machine ended: written once, by the first reason, which kicks all vCPUs out of the guest.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::kvm::{InternalError, Kick};

/// Why a machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The guest powered off (ACPI S5).
    PowerOff,
    /// The guest reset.
    Reset,
    /// The guest's kernel panicked, and said so through pvpanic or by a warm reset.
    Panicked,
    /// A vCPU triple-faulted.
    TripleFault {
        /// Which one.
        vcpu: u8,
        /// Its registers.
        registers: String,
    },
    /// KVM met something that it cannot do.
    InternalError {
        /// On which vCPU.
        vcpu: u8,
        /// What KVM tells.
        error: Box<InternalError>,
        /// Its registers.
        registers: String,
    },
    /// A vCPU could not be entered, or came back with something unknown.
    VcpuFailed {
        /// Which one.
        vcpu: u8,
        /// The exit.
        why: String,
        /// Its registers.
        registers: String,
    },
    /// The person at the terminal left.
    Left,
    /// Someone outside wanted it: asked twice, or at once.
    Stopped,
    /// The guest was asked to power off and did not.
    Unanswered {
        /// How long it had.
        within: Duration,
    },
}

impl End {
    /// Whether somebody outside ended it, and not the guest or its kernel.
    pub fn is_forced(&self) -> bool {
        matches!(self, Self::Left | Self::Stopped | Self::Unanswered { .. })
    }
}

/// Where the end of a machine is written, once; clones share it.
#[derive(Clone)]
pub struct Ending {
    end: Arc<OnceLock<End>>,
    kicks: Arc<[Kick]>,
}

impl Ending {
    /// A machine that goes on, whose vCPUs are kicked when it ends.
    pub fn new(kicks: Arc<[Kick]>) -> Self {
        Self { end: Arc::default(), kicks }
    }

    /// Ends the machine. The first reason is the one that counts.
    pub fn reach(&self, end: End) {
        if self.end.set(end).is_ok() {
            self.kicks.iter().for_each(Kick::kick);
        }
    }

    /// Whether the machine has ended.
    pub fn is_reached(&self) -> bool {
        self.end.get().is_some()
    }

    /// Why it ended.
    pub fn get(&self) -> Option<&End> {
        self.end.get()
    }
}

impl std::fmt::Debug for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ending").field(&self.end.get()).finish()
    }
}
