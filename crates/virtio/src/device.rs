//! What a device is, to a transport: seven facts and a way to start it.
//!
//! A device does not see its addresses, its thread, its transport, or KVM.

use illico_memory::Ram;

use crate::config_space::ConfigWriter;
use crate::event_loop::{Fault, Worker};
use crate::queue::Queue;
use crate::spec::Kind;

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
