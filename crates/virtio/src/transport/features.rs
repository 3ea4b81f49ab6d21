//! Feature bits as the registers show them: 64 bits through a window of 32 (VirtIO 1.3 § 2.2).

use crate::spec::feature;

/// What is offered, what the driver accepted, and which half of each is selected.
#[derive(Debug)]
pub struct Features {
    offered: u64,
    accepted: u64,
    device_select: u32,
    driver_select: u32,
}

impl Features {
    /// These are offered, and none is accepted.
    pub(super) fn offering(offered: u64) -> Self {
        Self { offered, accepted: 0, device_select: 0, driver_select: 0 }
    }

    /// Offers these no longer.
    pub(super) fn withhold(&mut self, features: u64) {
        self.offered &= !features;
    }

    /// Back to the state after power on.
    pub(super) fn reset(&mut self) {
        *self = Self::offering(self.offered);
    }

    /// What the driver accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// § 2.2.2, § 6: nothing that was not offered, and not a legacy driver.
    pub(super) fn are_acceptable(&self) -> bool {
        self.accepted & !self.offered == 0 && self.accepted & feature::VERSION_1 != 0
    }

    /// The selected half of the offered features.
    pub fn device(&self) -> u32 {
        half_of(self.offered, self.device_select)
    }

    /// Which half [`Features::device`] is.
    pub fn device_select(&self) -> u32 {
        self.device_select
    }

    /// Selects the half that [`Features::device`] is.
    pub fn select_device(&mut self, select: u32) {
        self.device_select = select;
    }

    /// The selected half of what the driver accepted.
    pub fn driver(&self) -> u32 {
        half_of(self.accepted, self.driver_select)
    }

    /// Which half [`Features::driver`] is.
    pub fn driver_select(&self) -> u32 {
        self.driver_select
    }

    /// Selects the half that [`Features::driver`] is.
    pub fn select_driver(&mut self, select: u32) {
        self.driver_select = select;
    }

    /// The driver writes the selected half of what it accepts. There are two halves; writes to others are dropped.
    pub(super) fn accept(&mut self, value: u32) {
        let shift = match self.driver_select {
            0 => 0,
            1 => 32,
            _ => return,
        };
        let kept = self.accepted & !(0xffff_ffff << shift);
        self.accepted = kept | u64::from(value) << shift;
    }
}

/// The half of that number; others read as 0.
fn half_of(features: u64, select: u32) -> u32 {
    match select {
        0 => features as u32,
        1 => (features >> 32) as u32,
        _ => 0,
    }
}
