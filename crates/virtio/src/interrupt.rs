//! How a device tells its driver: one value, cheap to clone, that hides what is behind it.

use std::fmt;
use std::sync::Arc;

use vmm_sys_util::eventfd::EventFd;

/// An interrupt line as a device sees it.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<dyn Fn() + Send + Sync>>);

impl Interrupt {
    /// A no-op interrupt.
    pub fn none() -> Self {
        Self(None)
    }

    /// One that writes to an eventfd, which KVM turns into an interrupt (irqfd).
    pub fn from_eventfd(event: EventFd) -> Self {
        Self::from_fn(move || signal(&event))
    }

    /// One that calls a function.
    pub fn from_fn(raise: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(raise)))
    }

    /// Raises it.
    pub fn trigger(&self) {
        if let Some(raise) = &self.0 {
            raise();
        }
    }
}

/// A message-signalled interrupt: a write that a device would make to an interrupt controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MsiMessage {
    /// Where it is written; on x86 it names the local APIC.
    pub address: u64,
    /// What is written; on x86 the vector, and how it is delivered.
    pub data: u32,
}

/// Adds one to an eventfd. The write fails only where the counter would overflow, with 2^64 - 2
/// signals unread: the reader is told all the same.
pub fn signal(event: &EventFd) {
    let _ = event.write(1);
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Interrupt" } else { "Interrupt(none)" })
    }
}
