//! The entropy device (VirtIO 1.3 § 5.4): the driver posts empty buffers and gets them back filled
//! with random bytes of the host.
//!
//! It is the smallest device there is, and the shape of all others: a spec that a person writes, a
//! [`Device`] at rest, a [`Worker`] that owns the queue while the guest runs. It has no features, no
//! configuration and no option, and it keeps no bytes of its own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use illico_memory::{Buffers, Ram};
use serde::{Deserialize, Serialize};

use crate::device::{Activation, Device, DeviceError, DeviceSpec};
use crate::device_error::{Key, Remedy, SpecError};
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::{Position, Queue};
use crate::spec::Kind;

crate::device_spec! {
    /// A VirtIO source of random bytes, from the host's `/dev/urandom`.
    /// Example: off
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct EntropySpec {}
}

/// The device cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("opening {SOURCE} (it needs a /dev with the kernel's devices)")]
pub struct EntropyError(#[source] pub io::Error);

impl SpecError for EntropyError {
    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::Without)
    }
}

/// It answers without waiting, and the kernel reads it straight into guest memory.
const SOURCE: &str = "/dev/urandom";

/// Drivers keep one request in flight; a few more cost nothing.
const QUEUE_SIZE: u16 = 8;

/// Bytes a request at most: the rest of a longer buffer comes back unfilled, which § 5.4.6 allows.
/// With the size of the queue it bounds one turn on the loop, whatever a guest asks for.
const MAX_REQUEST: usize = 64 << 10;

/// What this device is.
const KIND: Kind = Kind { id: 4, name: "entropy", pci_class: [0xff, 0x00, 0x00] };

/// An entropy device at rest.
#[derive(Debug)]
pub struct Entropy {
    source: Arc<File>,
}

impl Entropy {
    /// Opens what the device reads from.
    pub fn open(_spec: &EntropySpec) -> Result<Self, EntropyError> {
        Ok(Self::from_source(File::open(SOURCE).map_err(EntropyError)?))
    }

    fn from_source(source: File) -> Self {
        Self { source: Arc::new(source) }
    }
}

impl DeviceSpec for EntropySpec {
    fn open(&self, _name: &str) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Entropy::open(self)?))
    }
}

impl Device for Entropy {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        "entropy"
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE]
    }

    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        let queue = activation.take_queue(0)?;
        Ok(vec![Box::new(Filler::new(queue, Arc::clone(&self.source), activation.ram))])
    }
}

/// Fills what the driver posts.
struct Filler {
    queue: Queue,
    source: Arc<File>,
    /// What of a request is beyond [`MAX_REQUEST`].
    beyond: Buffers,
}

impl Filler {
    fn new(queue: Queue, source: Arc<File>, ram: Ram) -> Self {
        Self { queue, source, beyond: Buffers::new(ram) }
    }

    /// Fills at most one queue of requests, then lets others have the loop.
    fn serve(&mut self) -> Result<Polling, Fault> {
        self.queue.disable_kicks();
        for _ in 0..QUEUE_SIZE {
            let Some(mut chain) = self.queue.pop()? else { break };
            let length = chain.writable.len().min(MAX_REQUEST);
            self.beyond.clear();
            chain.writable.split_off(length, &mut self.beyond).map_err(|error| Fault::new(error.to_string()))?;
            let written = fill(&chain.writable, &self.source)?;
            self.queue.complete(chain, written);
        }
        Ok(Polling::after(&mut self.queue))
    }
}

/// One read, again where a signal came first. It may be short: the driver is told how much there is.
fn fill(buffers: &Buffers, source: &File) -> Result<u32, Fault> {
    loop {
        match buffers.read_from(source.as_fd(), None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // At most MAX_REQUEST, so it fits.
            Ok(length) => return Ok(length as u32),
            Err(error) => return Err(Fault::new(format!("reading {SOURCE}: {error}"))),
        }
    }
}

impl Worker for Filler {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(self.queue.kick())]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.serve()
    }

    fn stop(&mut self) -> Vec<Position> {
        vec![self.queue.position()]
    }
}

#[cfg(test)]
#[path = "entropy_test.rs"]
mod tests;
