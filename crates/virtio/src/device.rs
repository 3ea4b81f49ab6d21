//! What a device is, to a transport and to the machine: what it is, what it needs, and a way to start it.
//!
//! A device does not see its addresses, its thread, its transport, or KVM.

use std::sync::Arc;

use illico_memory::{GuestAddress, Ram, Window};

use crate::config_space::ConfigWriter;
use crate::counters::PollCounters;
pub use crate::device_error::DeviceError;
use crate::event_loop::{Fault, Worker};
use crate::queue::Queue;
use crate::socket_file::SocketFile;
use crate::spec::Kind;

/// What a person says about a device, as data.
pub trait DeviceSpec {
    /// Opens every file that the device needs; nothing of the guest runs yet. `name` is what it is called in tables and
    /// messages.
    fn open(&self, name: &str) -> Result<Box<dyn Device>, DeviceError>;
}

/// Host memory that the guest maps beside its RAM.
#[derive(Debug, Clone)]
pub struct DeviceMemory {
    /// Its guest address.
    pub start: GuestAddress,
    /// The memory.
    pub window: Window,
    /// Whether the guest may write to it.
    pub writable: bool,
}

/// A VirtIO device at rest.
///
/// While it runs, its queues belong to its workers; a reset takes the workers off their loops, stops
/// them, and drops them.
pub trait Device: Send {
    /// What it is.
    fn kind(&self) -> Kind;

    /// A name for tables and messages, such as `disk0`.
    fn name(&self) -> &str;

    /// The feature bits of its type that it offers. Those of the ring and `VERSION_1` are added by
    /// the transport.
    fn features(&self) -> u64;

    /// The size of each queue, a power of two.
    fn queue_sizes(&self) -> Vec<u16>;

    /// The configuration space as a driver first reads it (§ 2.5).
    fn config(&self) -> Vec<u8>;

    /// The driver wrote to the configuration space. Few devices let it.
    fn write_config(&mut self, _offset: usize, _bytes: &[u8]) {}

    /// Gives the guest address of memory that the device brings along, at or above `free`. Called once, before a driver
    /// looks.
    fn place_memory(&mut self, _free: GuestAddress) -> Option<DeviceMemory> {
        None
    }

    /// How many event loops of its own its workers want; with 0 they share the main one.
    fn loops(&self) -> usize {
        0
    }

    /// Whether its workers open files that the guest names: threads of its loops then need the rights to.
    fn opens_files(&self) -> bool {
        false
    }

    /// What polling costs and saves, for each queue, if it polls.
    fn poll_counters(&self) -> &[Arc<PollCounters>] {
        &[]
    }

    /// A file on the host that is removed with the machine, if it made one.
    fn take_socket(&mut self) -> Option<SocketFile> {
        None
    }

    /// The driver is ready: hands the queues to one or more workers. Where several are returned, each
    /// may be put on a thread of its own.
    fn start(&mut self, activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault>;
}

/// Everything that a device starts with, moved in.
#[derive(Debug)]
pub struct Activation {
    /// All of guest RAM.
    pub ram: Ram,
    /// The features that both sides agreed on.
    pub features: u64,
    /// Its queues; `None` for those that the driver did not enable.
    pub queues: Vec<Option<Queue>>,
    /// For devices whose configuration changes while they run.
    pub config: ConfigWriter,
}

impl Activation {
    /// Takes a queue that the device cannot do without.
    pub fn take_queue(&mut self, index: usize) -> Result<Queue, Fault> {
        let queue = self.queues.get_mut(index).and_then(Option::take);
        queue.ok_or_else(|| Fault::new(format!("queue {index} was not enabled before DRIVER_OK")))
    }
}
