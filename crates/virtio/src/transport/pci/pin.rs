//! InterruptPin INTA# of a function that has no MSI-X (PCI Local Bus 3.0 § 2.2.6, § 6.2.2; VirtIO 1.3 § 4.1.5.2).
//!
//! A pin is a level: it is asserted while the ISR status says why. Behind ours is a message, which is an edge
//! (`irq.rs` of the machine), so it is sent anew for each reason; a handler that reads the ISR status sees all of them.

use std::sync::atomic::{AtomicU8, Ordering};

use illico_memory::Window;

use super::config::COMMAND;
use crate::interrupt::Interrupt;

/// In the command register: the pin stays silent.
const COMMAND_DISABLE: u16 = 1 << 10;
/// In the status register, the upper half of the same 32 bits: an interrupt is waiting.
const STATUS_PENDING: u32 = 1 << (16 + 3);

/// The pin, and the registers that speak of it.
#[derive(Debug)]
pub(super) struct InterruptPin {
    space: Window,
    line: Interrupt,
}

impl InterruptPin {
    pub(super) fn new(space: Window, line: Interrupt) -> Self {
        Self { space, line }
    }

    /// The ISR status says why.
    pub(super) fn assert(&self) {
        self.space.fetch_or_u32(COMMAND, STATUS_PENDING);
        if self.space.load_u16(COMMAND, Ordering::Acquire) & COMMAND_DISABLE == 0 {
            self.line.trigger();
        }
    }

    /// The ISR status or the command register changed: the pin is what they say now.
    pub(super) fn follow(&self, isr: &AtomicU8) {
        let waited = self.space.fetch_and_u32(COMMAND, !STATUS_PENDING) & STATUS_PENDING != 0;
        if isr.load(Ordering::Acquire) != 0 && waited {
            self.assert();
        }
    }
}

#[cfg(test)]
#[path = "pin_test.rs"]
mod tests;
