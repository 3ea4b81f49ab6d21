//! The file system device (VirtIO 1.3 § 5.11): a folder of the host in the guest, by the FUSE protocol.
//!
//! It is served in this process, on a thread of its own, for the calls may take as long as the host's disks do.
//! There is a high-priority queue and one of requests; no notification queue and no DAX window.

mod descriptors;
mod passthrough;
mod protocol;
mod request;
mod server;
mod spec;

use std::sync::Arc;

use zerocopy::little_endian::U32;
use zerocopy::{Immutable, IntoBytes};

use illico_memory::Ram;

use crate::chain::Chain;
use crate::complaints::RateLimited;
use crate::device::{Activation, Device, DeviceError, DeviceSpec};
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::{Position, Queue};
use crate::spec::Kind;

use descriptors::Pool;
use passthrough::Share;
use server::Server;
pub use spec::{Cache, FsError, FsSpec, Owner, OwnerError, TAG_BYTES};

/// Forgotten nodes come by the first queue, all else by the second, § 5.11.2.
const QUEUES: usize = 2;

/// Entries of each queue. A chain has at most as many descriptors: those of `MAX_WRITE` bytes in pages, and
/// headers.
const QUEUE_SIZE: u16 = 512;

/// What is served before the driver is told, in the unit that `cost` counts.
const TURN: usize = 64;

/// The configuration space, § 5.11.4.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Config {
    tag: [u8; TAG_BYTES],
    num_request_queues: U32,
}

/// What this device is.
const KIND: Kind = Kind { id: 26, name: "fs", pci_class: [0x01, 0x80, 0x00] };

/// A shared folder at rest.
#[derive(Debug)]
pub struct Fs {
    share: Arc<Share>,
    tag: [u8; TAG_BYTES],
    name: String,
    complaints: Arc<RateLimited>,
}

impl Fs {
    /// Opens what `spec` says; `name` is what the device is called.
    pub fn open(spec: &FsSpec, name: String) -> Result<Self, FsError> {
        Self::open_with(spec, name, Pool::of_process())
    }

    /// As `open`, with so many descriptors of the host at most: for tests and fuzz targets.
    #[cfg(any(test, feature = "testkit"))]
    pub fn with_descriptors(spec: &FsSpec, name: String, descriptors: usize) -> Result<Self, FsError> {
        Self::open_with(spec, name, Pool::new(descriptors))
    }

    fn open_with(spec: &FsSpec, name: String, pool: Arc<Pool>) -> Result<Self, FsError> {
        let share = Share::open(spec, pool)?;
        let mut tag = [0; TAG_BYTES];
        // `Share::open` has checked that it fits.
        tag[..spec.tag.len()].copy_from_slice(spec.tag.as_bytes());
        Ok(Self { share: Arc::new(share), tag, name, complaints: Arc::default() })
    }
}

impl DeviceSpec for FsSpec {
    fn open(&self, name: &str) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Fs::open(self, name.to_owned())?))
    }
}

impl Device for Fs {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE; QUEUES]
    }

    fn config(&self) -> Vec<u8> {
        Config { tag: self.tag, num_request_queues: 1.into() }.as_bytes().to_vec()
    }

    /// One: its calls may take as long as the host's disks do.
    fn loops(&self) -> usize {
        1
    }

    fn opens_files(&self) -> bool {
        true
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        let queues = [activation.take_queue(0)?, activation.take_queue(1)?];
        let (share, ram) = (Arc::clone(&self.share), activation.ram.clone());
        let (name, complaints) = (self.name.clone(), Arc::clone(&self.complaints));
        Ok(vec![Box::new(Waiter { queues, server: None, share, ram, name, complaints })])
    }
}

/// Brings requests to the server and replies back.
struct Waiter {
    queues: [Queue; QUEUES],
    /// Made on the worker's thread, by the first request: the thread that starts a device may have no right to files.
    server: Option<Server>,
    share: Arc<Share>,
    ram: Ram,
    name: String,
    complaints: Arc<RateLimited>,
}

impl Waiter {
    /// Serves both queues until they are empty, or until the loop should look at its other business.
    fn serve(&mut self) -> Result<Polling, Fault> {
        let server = match &mut self.server {
            Some(server) => server,
            none => none.insert(
                Server::new(Arc::clone(&self.share), &self.ram)
                    .map_err(|error| Fault::new(format!("opening the shared folder: {error}")))?,
            ),
        };
        self.queues.iter_mut().for_each(Queue::disable_kicks);
        let mut cost = 0;
        while cost < TURN
            && let Some((queue, mut chain)) = next(&mut self.queues)?
        {
            cost += 1 + (chain.readable.len() + chain.writable.len()) / (16 << 10);
            queue.count_from_guest(chain.readable.len() as u64);
            let written = server.serve(&mut chain).unwrap_or_else(|why| {
                self.complaints.log(|| format!("{}: {why}", self.name));
                0
            });
            queue.complete(chain, written);
        }
        Ok(self.queues.iter_mut().fold(Polling::Sleep, |polling, queue| Polling::after(queue).or(polling)))
    }
}

/// The next request, and the queue that it belongs to: one of the high-priority queue before each other one, so that no
/// activity there holds it up (§ 5.11.6.2).
fn next(queues: &mut [Queue; QUEUES]) -> Result<Option<(&mut Queue, Chain)>, Fault> {
    for queue in queues {
        if let Some(chain) = queue.pop()? {
            return Ok(Some((queue, chain)));
        }
    }
    Ok(None)
}

impl Worker for Waiter {
    fn sources(&self) -> Vec<Source> {
        self.queues.iter().map(|queue| Source::readable(queue.kick())).collect()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.serve()
    }

    fn stop(&mut self) -> Vec<Position> {
        self.queues.iter().map(Queue::position).collect()
    }
}

#[cfg(test)]
mod fake_guest;

#[cfg(test)]
#[path = "fs_test.rs"]
mod tests;

#[cfg(test)]
#[path = "attack_test.rs"]
mod attack_tests;

#[cfg(test)]
#[path = "bounds_test.rs"]
mod bounds_tests;

#[cfg(test)]
#[path = "rights_test.rs"]
mod rights_tests;

#[cfg(test)]
#[path = "oracle_test.rs"]
mod oracle_tests;
