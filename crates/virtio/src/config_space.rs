//! The device configuration space (VirtIO 1.3 § 2.5) as memory that the guest reads without an exit.

use std::sync::atomic::{Ordering, fence};

use illico_memory::Window;

use crate::interrupt::Interrupt;

/// What a running device changes its configuration through.
#[derive(Debug, Clone)]
pub struct ConfigWriter {
    /// The device's part of the register page.
    pub(crate) space: Window,
    /// The low byte of the generation, which tells a driver that it read across a change.
    pub(crate) generation: Window,
    /// Configuration change notification.
    pub(crate) interrupt: Interrupt,
}

impl ConfigWriter {
    /// Writes bytes at an offset of the configuration, then tells the driver.
    pub fn update(&self, offset: usize, bytes: &[u8]) {
        // The generation changes before and after: a driver that read across the change sees that. One that
        // read between the two sees nothing of it, since reads of memory cannot be held up; it reads again
        // when the interrupt below tells it to, and then all is there.
        self.bump();
        // The first change must be seen before any of the bytes.
        fence(Ordering::Release);
        self.space.copy_from(offset, bytes);
        self.bump();
        self.interrupt.trigger();
    }

    fn bump(&self) {
        let next = self.generation.load_u8(0, Ordering::Relaxed).wrapping_add(1);
        self.generation.store_u8(0, next, Ordering::Release);
    }
}
