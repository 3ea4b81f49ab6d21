//! What a person or a program outside can do to a running machine: press its power button, or end it.

use std::sync::Arc;
use std::time::Duration;

use crate::deadlines::Deadlines;
use crate::irq::Irqs;

pub use crate::ending::{End, Ending};

/// What can be done to a machine from outside. Clones reach the same one.
#[derive(Clone)]
pub struct Control {
    pub(crate) ending: Ending,
    pub(crate) irqs: Arc<Irqs>,
    pub(crate) power_button: u32,
    pub(crate) deadlines: Deadlines,
}

impl Control {
    /// Presses the ACPI power button: a guest that listens powers off.
    pub fn press_power_button(&self) {
        self.irqs.raise(self.power_button);
    }

    /// Presses the ACPI power button, and ends the machine if the guest has not powered off after this time. The time
    /// counts from the first call.
    pub fn power_off_within(&self, time: Duration) {
        self.press_power_button();
        self.deadlines.answer_within(time);
    }

    /// Ends the machine because the person at the terminal leaves. `Machine::run` returns within two seconds.
    pub fn leave(&self) {
        self.ending.reach(End::Left);
        self.deadlines.come_back();
    }

    /// Stops the machine at once, whatever the guest is doing. `Machine::run` returns within two seconds, even if a
    /// device, a disk or a reader of the console never does; also where the guest has ended the machine already and its
    /// devices are what is waited for.
    pub fn stop(&self) {
        self.ending.reach(End::Stopped);
        self.deadlines.come_back();
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Control").field(&self.ending).finish()
    }
}
