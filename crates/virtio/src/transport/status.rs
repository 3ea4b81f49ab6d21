//! The device status register (VirtIO 1.3 § 2.1).

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use illico_memory::Window;

use crate::complaints::RateLimited;
use crate::event_loop::Fault;
use crate::spec::status;

/// The status register: the driver writes it, and a failing worker adds `NEEDS_RESET` from its thread.
#[derive(Debug)]
pub(super) struct Status {
    driver: AtomicU8,
    needs_reset: AtomicBool,
    shown: Window,
    /// About faults since the machine was made.
    complaints: RateLimited,
}

impl Status {
    /// 0, kept up to date in the byte `shown`.
    pub(super) fn new(shown: Window) -> Self {
        let (driver, needs_reset) = (AtomicU8::new(0), AtomicBool::new(false));
        Self { driver, needs_reset, shown, complaints: RateLimited::default() }
    }

    pub(super) fn get(&self) -> u8 {
        let failed = if self.needs_reset.load(Ordering::SeqCst) { status::NEEDS_RESET } else { 0 };
        self.driver.load(Ordering::SeqCst) | failed
    }

    /// Shows the value; again, if the other thread changed it meanwhile.
    fn show(&self) {
        loop {
            let value = self.get();
            self.shown.store_u8(0, value, Ordering::SeqCst);
            if self.get() == value {
                break;
            }
        }
    }

    pub(super) fn set_driver(&self, bits: u8) {
        self.driver.store(bits, Ordering::SeqCst);
        self.show();
    }

    /// The device is broken until the driver resets it. The log line is rate-limited: a driver can reset and break a device
    /// as often as it likes.
    pub(super) fn fail(&self, device: &str, fault: &Fault) {
        self.complaints.log(|| format!("{device}: {fault}; the device waits for a reset"));
        self.needs_reset.store(true, Ordering::SeqCst);
        self.show();
    }

    /// Back to 0.
    pub(super) fn reset(&self) {
        self.driver.store(0, Ordering::SeqCst);
        self.needs_reset.store(false, Ordering::SeqCst);
        self.show();
    }
}
