//! From specs to devices: every file that a guest is given is opened here, before anything runs.

use std::error::Error;
use std::sync::Arc;

use illico_memory::{GuestAddress, Layout, Window};
use illico_virtio::block::{Block, Poll, PollCounters};
use illico_virtio::device::Device;
use illico_virtio::entropy::{Entropy, EntropySpec};
use illico_virtio::fs::Fs;
use illico_virtio::net::Net;
use illico_virtio::pmem::Pmem;
use illico_virtio::vsock::{SocketFile, Vsock};

use crate::config::{Config, Switch};

/// A pmem region begins at a multiple of this, so that the guest maps it with large pages.
const PMEM_ALIGN: u64 = 1 << 30;

/// A device, ready to be put behind a transport.
pub struct Opened {
    /// The device.
    pub device: Box<dyn Device>,
    /// Host memory that the guest maps, where, and whether it may write it.
    pub memory: Option<(GuestAddress, Window, bool)>,
    /// Threads of its own that it wants; without, it shares the main one.
    pub threads: usize,
    /// What polling cost, by queue, if it polls.
    pub polls: Vec<Arc<PollCounters>>,
    /// A socket of the host that is removed when this is dropped: at the end of the machine.
    pub socket: Option<SocketFile>,
}

impl Opened {
    fn shared(device: impl Device + 'static) -> Self {
        Self::boxed(Box::new(device))
    }

    fn boxed(device: Box<dyn Device>) -> Self {
        Self { device, memory: None, threads: 0, polls: Vec::new(), socket: None }
    }
}

/// What is wrong with a device, in words that name option, file and fix.
pub type DeviceError = Box<dyn Error + Send + Sync>;

/// Opens all devices of a machine in the order in which the guest sees them; `console` comes first.
pub fn open(config: &Config, layout: &Layout, console: Option<Box<dyn Device>>) -> Result<Vec<Opened>, DeviceError> {
    let mut devices = Vec::with_capacity(config.device_count());
    devices.extend(console.map(Opened::boxed));
    for (index, spec) in config.disk.iter().enumerate() {
        let disk = Block::open(spec, &format!("disk{index}"))?;
        // A worker that polls, or is one of several, must not hold up the others.
        let threads = if spec.queues > 1 || spec.poll == Poll::Adaptive { spec.queues.into() } else { 0 };
        let polls = disk.poll_counters().to_vec();
        devices.push(Opened { threads, polls, ..Opened::shared(disk) });
    }
    let mut next = GuestAddress(layout.end().0.max(1 << 32).next_multiple_of(PMEM_ALIGN));
    for (index, spec) in config.pmem.iter().enumerate() {
        let mut pmem = Pmem::open(spec, format!("pmem{index}"))?;
        pmem.place(next);
        let memory = Some((next, pmem.window().clone(), !spec.readonly));
        next = GuestAddress((next.0 + pmem.size()).next_multiple_of(PMEM_ALIGN));
        devices.push(Opened { memory, ..Opened::shared(pmem) });
    }
    for (index, spec) in config.fs.iter().enumerate() {
        let share = Fs::open(spec, format!("fs{index}"))?;
        // Its calls may take as long as the host's disks do.
        devices.push(Opened { threads: 1, ..Opened::shared(share) });
    }
    for (index, spec) in config.net.iter().enumerate() {
        let net = Net::open(spec, format!("net{index}"))?;
        // Each pair of queues is worked by a thread of its own once there are several.
        let threads = if spec.queues > 1 { spec.queues.into() } else { 0 };
        devices.push(Opened { threads, ..Opened::shared(net) });
    }
    if let Some(spec) = &config.vsock {
        let (vsock, socket) = Vsock::open(spec)?;
        devices.push(Opened { socket: Some(socket), ..Opened::shared(vsock) });
    }
    if config.entropy == Switch::On {
        devices.push(Opened::shared(Entropy::open(&EntropySpec {})?));
    }
    Ok(devices)
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({})", self.device.name())
    }
}
