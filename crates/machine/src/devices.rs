//! From specs to devices: every file that a guest is given is opened here, before anything runs.

use illico_memory::{GuestAddress, Layout};
use illico_virtio::device::{Device, DeviceMemory};

use crate::config::{Config, OpenError};

/// A device, ready to be put behind a transport.
pub struct Opened {
    /// The device.
    pub device: Box<dyn Device>,
    /// Memory that it brings along.
    pub memory: Option<DeviceMemory>,
}

/// Opens all devices of a machine in the order in which the guest sees them: those in `first` (a console), then those
/// of the configuration.
pub fn open(config: &Config, layout: &Layout, first: Vec<Box<dyn Device>>) -> Result<Vec<Opened>, OpenError> {
    let mut devices = first;
    for (name, place, spec) in config.devices() {
        devices.push(spec.open(&name).map_err(|error| OpenError { name, place, error: Box::new(error) })?);
    }
    // Above RAM, and above 4 GiB: below are the devices' registers.
    let mut free = GuestAddress(layout.end().0.max(1 << 32));
    let place = |mut device: Box<dyn Device>| {
        let memory = device.place_memory(free);
        if let Some(DeviceMemory { start, window, .. }) = &memory {
            free = GuestAddress(start.0 + window.len() as u64);
        }
        Opened { device, memory }
    };
    Ok(devices.into_iter().map(place).collect())
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({})", self.device.name())
    }
}
