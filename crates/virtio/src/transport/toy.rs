//! A device for tests of the transports: two queues that echo, four bytes of configuration, and a
//! record of all that was done to it.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use vmm_sys_util::epoll::EventSet;

use crate::config_space::ConfigWriter;
use crate::device::{Activation, Device};
use crate::event_loop::{EventLoop, Fault, LoopHandle, Polling, Source, Worker};
use crate::queue::{Position, Queue};
use crate::spec::Kind;

/// A feature of the device's own.
pub(super) const FEATURE: u64 = 1 << 5;
pub(super) const CONFIG: [u8; 4] = [0xc0, 0xff, 0xee, 0x01];
pub(super) const SIZES: [u16; 2] = [64, 16];

/// What happened to a toy, and what is to happen.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) starts: AtomicU64,
    pub(super) stops: AtomicU64,
    pub(super) features: AtomicU64,
    pub(super) config_writes: Mutex<Vec<(usize, Vec<u8>)>>,
    /// What a running device changes its configuration through.
    pub(super) config: Mutex<Option<ConfigWriter>>,
    /// The next start fails.
    pub(super) refuse: AtomicBool,
    /// The second worker of the next start cannot be watched.
    pub(super) unwatchable: AtomicBool,
    /// A worker that is called waits for as long as this is set; then it is `busy`.
    pub(super) hold: AtomicBool,
    pub(super) busy: AtomicBool,
}

/// The device; `queues` of them if more are wanted than two.
#[derive(Debug, Default)]
pub(super) struct Toy {
    pub(super) record: Arc<Record>,
    pub(super) queues: Option<usize>,
}

impl Device for Toy {
    fn kind(&self) -> Kind {
        Kind { id: 4, name: "toy", pci_class: [0xff, 0, 0] }
    }

    fn name(&self) -> &str {
        "toy"
    }

    fn features(&self) -> u64 {
        FEATURE
    }

    fn queue_sizes(&self) -> Vec<u16> {
        self.queues.map_or_else(|| SIZES.to_vec(), |count| vec![16; count])
    }

    fn config(&self) -> Vec<u8> {
        CONFIG.to_vec()
    }

    fn write_config(&mut self, offset: usize, bytes: &[u8]) {
        self.record.config_writes.lock().unwrap().push((offset, bytes.to_vec()));
    }

    fn start(&mut self, activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        if self.record.refuse.swap(false, Ordering::SeqCst) {
            return Err(Fault::new("not today"));
        }
        self.record.starts.fetch_add(1, Ordering::SeqCst);
        self.record.features.store(activation.features, Ordering::SeqCst);
        *self.record.config.lock().unwrap() = Some(activation.config);
        let unwatchable = self.record.unwatchable.swap(false, Ordering::SeqCst);
        let echo = |(index, queue)| {
            Box::new(Echo { queue, record: Arc::clone(&self.record), watchable: !(unwatchable && index == 1) }) as _
        };
        Ok(activation.queues.into_iter().flatten().enumerate().map(echo).collect())
    }
}

/// Writes what it can read.
struct Echo {
    queue: Queue,
    record: Arc<Record>,
    watchable: bool,
}

impl Worker for Echo {
    fn sources(&self) -> Vec<Source> {
        if self.watchable {
            return vec![Source::readable(self.queue.kick())];
        }
        vec![
            Source { fd: -1, events: EventSet::IN },
            Source { fd: self.queue.kick().as_raw_fd(), events: EventSet::IN },
        ]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.record.busy.store(true, Ordering::SeqCst);
        while self.record.hold.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        loop {
            self.queue.disable_kicks();
            while let Some(chain) = self.queue.pop()? {
                let mut bytes = vec![0; chain.readable.len().min(chain.writable.len())];
                chain.readable.copy_to(0, &mut bytes).unwrap();
                chain.writable.copy_from(0, &bytes).unwrap();
                self.queue.complete(chain, bytes.len() as u32);
            }
            self.queue.signal();
            if !self.queue.enable_kicks() {
                self.record.busy.store(false, Ordering::SeqCst);
                return Ok(Polling::Sleep);
            }
        }
    }

    fn stop(&mut self) -> Vec<Position> {
        self.record.stops.fetch_add(1, Ordering::SeqCst);
        vec![self.queue.position()]
    }
}

/// A loop on a thread of its own.
pub(super) struct Loop {
    handle: LoopHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Loop {
    pub(super) fn new() -> Self {
        let event_loop = EventLoop::new().unwrap();
        let handle = event_loop.handle();
        Self { handle, thread: Some(std::thread::spawn(move || event_loop.run())) }
    }

    pub(super) fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

/// Waits for what another thread is about to do. A test whose wait has no end fails by the runner's
/// time limit, with its name.
pub(super) fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}
