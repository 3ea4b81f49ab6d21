//! The block device (VirtIO 1.3 § 5.2): a raw image file or a block device of the host as the guest's
//! disk, with one worker for each queue.
//!
//! The host's page cache is the disk's write-back cache: a write is acknowledged when it is there, and a
//! flush only after `fdatasync` has succeeded. A driver that cannot flush gets write-through. The cache mode cannot be
//! toggled (CONFIG_WCE), and there are no image formats, no zones and no secure erase.

mod disk;
mod engine;
mod ioctl;
mod polling;
pub mod request;
mod spec;
mod worker;

use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::available_parallelism;

use illico_memory::Uring;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{Immutable, IntoBytes};

use crate::complaints::say;
use crate::counters::PollCounters;
use crate::device::{Activation, Device, DeviceError, DeviceSpec};
use crate::event_loop::{Fault, Worker};
use crate::spec::Kind;

use disk::Disk;
use engine::{Engine, Job};
use polling::{BusyPoll, Clock};
use request::{MAX_DISCARD_SECTORS, MAX_SEGMENTS, MAX_ZEROES_SECTORS, SECTOR};
pub use spec::{DiskError, DiskSpec, EngineKind, MAX_QUEUES, Poll};
use worker::{Parked, Server};

// Feature bits, § 5.2.3.
const F_SEG_MAX: u64 = 1 << 2;
const F_RO: u64 = 1 << 5;
const F_BLK_SIZE: u64 = 1 << 6;
const F_FLUSH: u64 = 1 << 9;
const F_TOPOLOGY: u64 = 1 << 10;
const F_MQ: u64 = 1 << 12;
const F_DISCARD: u64 = 1 << 13;
const F_WRITE_ZEROES: u64 = 1 << 14;

/// Entries of each queue. A chain has at most as many descriptors, in an indirect table too.
const QUEUE_SIZE: u16 = 256;

/// Data segments of a request: what a chain holds besides header and status.
const SEG_MAX: u32 = QUEUE_SIZE as u32 - 2;

/// The configuration space up to the last field that is offered, § 5.2.4.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Config {
    capacity: U64,
    size_max: U32,
    seg_max: U32,
    geometry: [u8; 4],
    blk_size: U32,
    physical_block_exp: u8,
    alignment_offset: u8,
    min_io_size: U16,
    opt_io_size: U32,
    writeback: u8,
    unused0: u8,
    num_queues: U16,
    max_discard_sectors: U32,
    max_discard_seg: U32,
    discard_sector_alignment: U32,
    max_write_zeroes_sectors: U32,
    max_write_zeroes_seg: U32,
    write_zeroes_may_unmap: u8,
    unused1: [u8; 3],
}

/// What this device is.
const KIND: Kind = Kind { id: 2, name: "block", pci_class: [0x01, 0x80, 0x00] };

/// A disk at rest.
#[derive(Debug)]
pub struct Block {
    disk: Arc<Disk>,
    engine: EngineKind,
    /// With `engine=io_uring`, rings for queues that do not run.
    parked: Parked,
    /// With `poll=adaptive`, one for each queue.
    polls: Vec<Arc<PollCounters>>,
    /// For how long they look at most, in nanoseconds.
    poll_bound: u64,
    clock: Clock,
    queues: u16,
}

impl Block {
    /// Opens what `spec` says; `name` is what the disk is called where `spec` names no id.
    pub fn open(spec: &DiskSpec, name: &str) -> Result<Self, DiskError> {
        spec.check()?;
        let name = spec.id.as_deref().unwrap_or(name).to_owned();
        let disk = Disk::open(&spec.path, spec.readonly, name)?;
        Self::over(disk, spec)
    }

    fn over(disk: Disk, spec: &DiskSpec) -> Result<Self, DiskError> {
        let rings = || (0..spec.queues).map(|_| ring(disk.file())).collect::<Result<Vec<_>, _>>();
        let (engine, rings) = match spec.engine {
            Some(EngineKind::Sync) => (EngineKind::Sync, Vec::new()),
            Some(EngineKind::IoUring) => (EngineKind::IoUring, rings().map_err(DiskError::Uring)?),
            // io_uring gives what these file systems do to a thread of the kernel, which takes longer than the copy.
            None if disk.is_in_memory() => (EngineKind::Sync, Vec::new()),
            None => match rings() {
                Ok(rings) => (EngineKind::IoUring, rings),
                Err(error) => {
                    say(&format!("{}: engine=sync, for this host has no io_uring for us: {error}", disk.name()));
                    (EngineKind::Sync, Vec::new())
                }
            },
        };
        let polls = match spec.poll {
            Poll::Off => Vec::new(),
            // While we looked, the guest could not run, and what we look for would never come.
            Poll::Adaptive if available_parallelism().is_ok_and(|cpus| cpus.get() == 1) => {
                say(&format!("{}: poll=off, for this process has one CPU only", disk.name()));
                Vec::new()
            }
            Poll::Adaptive => (0..spec.queues).map(|_| Arc::default()).collect(),
        };
        let clock = Clock::default();
        let poll_bound = if polls.is_empty() { 0 } else { polling::bound(&clock) };
        let (disk, parked) = (Arc::new(disk), Arc::new(rings.into()));
        Ok(Self { disk, engine, parked, polls, poll_bound, clock, queues: spec.queues })
    }

    /// How requests reach the host's kernel.
    pub fn engine(&self) -> EngineKind {
        self.engine
    }

    /// A ring that no worker has. None is made anew while the guest runs, since the threads of a machine may not: a queue
    /// whose worker could not give its ring back goes on without one.
    fn take_ring(&self) -> Option<Uring<Job>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// As many requests fit in it as the driver can make.
fn ring(file: &Arc<File>) -> io::Result<Uring<Job>> {
    Uring::new(Arc::clone(file), QUEUE_SIZE)
}

impl DeviceSpec for DiskSpec {
    fn open(&self, name: &str) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Block::open(self, name)?))
    }
}

impl Device for Block {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        self.disk.name()
    }

    fn features(&self) -> u64 {
        let access = if self.disk.extent().readonly { F_RO } else { F_DISCARD | F_WRITE_ZEROES };
        let several = if self.queues > 1 { F_MQ } else { 0 };
        F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | access | several
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE; self.queues.into()]
    }

    fn config(&self) -> Vec<u8> {
        let blocks = self.disk.blocks();
        let config = Config {
            capacity: self.disk.extent().sectors.into(),
            size_max: 0.into(),
            seg_max: SEG_MAX.into(),
            geometry: [0; 4],
            blk_size: blocks.logical.into(),
            physical_block_exp: (blocks.physical / blocks.logical).checked_ilog2().unwrap_or(0) as u8,
            alignment_offset: 0,
            min_io_size: u16::try_from(blocks.minimum / blocks.logical).unwrap_or(u16::MAX).into(),
            opt_io_size: 0.into(),
            writeback: 0,
            unused0: 0,
            num_queues: self.queues.into(),
            max_discard_sectors: MAX_DISCARD_SECTORS.into(),
            max_discard_seg: (MAX_SEGMENTS as u32).into(),
            discard_sector_alignment: (blocks.minimum / SECTOR as u32).into(),
            max_write_zeroes_sectors: MAX_ZEROES_SECTORS.into(),
            max_write_zeroes_seg: (MAX_SEGMENTS as u32).into(),
            write_zeroes_may_unmap: 1,
            unused1: [0; 3],
        };
        config.as_bytes().to_vec()
    }

    /// One for each queue: some calls wait for the host's disk, and a worker that polls, or is one of several, must not
    /// hold up the others.
    fn loops(&self) -> usize {
        self.queues.into()
    }

    fn poll_counters(&self) -> &[Arc<PollCounters>] {
        &self.polls
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        // A driver that cannot flush takes a completed write for a stable one (§ 5.2.6.2).
        let features = activation.features;
        let write_through = features & F_FLUSH == 0;
        let mut workers: Vec<Box<dyn Worker>> = Vec::new();
        // A driver with fewer vCPUs than queues enables the first few only.
        for index in 0..usize::from(self.queues) {
            if index > 0 && activation.queues.get(index).is_none_or(Option::is_none) {
                continue;
            }
            let queue = activation.take_queue(index)?;
            let ring = match self.engine {
                EngineKind::Sync => None,
                EngineKind::IoUring => self.take_ring(),
            };
            let engine = Engine::new(Arc::clone(&self.disk), write_through, ring);
            let looking = self
                .polls
                .get(index)
                .map(|counters| BusyPoll::new(Arc::clone(counters), self.clock.clone(), self.poll_bound));
            workers.push(Box::new(Server::new(queue, engine, Arc::clone(&self.parked), looking, features)));
        }
        Ok(workers)
    }
}

#[cfg(test)]
#[path = "block_test.rs"]
mod tests;

#[cfg(test)]
#[path = "worker_test.rs"]
mod worker_tests;
