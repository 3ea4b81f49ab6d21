//! An epoll loop that owns the workers it runs.
//!
//! A worker owns its queues and files, so nothing on the data path is locked. Control (start, reset)
//! arrives as a command between two events, and taking a worker off the loop waits until it is out of
//! its handler: nothing of it is in flight afterwards.
//!
//! Sources are edge-triggered: a worker takes all there is, and is called again when more comes.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::chain::RingError;
use crate::queue::{Position, Queue};

/// Why a worker cannot go on: its device wants a reset, and the rest of the machine goes on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    /// A fault in words.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl From<RingError> for Fault {
    fn from(error: RingError) -> Self {
        Self(format!("the driver broke the ring: {error}"))
    }
}

/// A file descriptor to be watched, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Open for as long as the worker lives.
    pub fd: RawFd,
    /// `EventSet::IN`, `OUT` or both.
    pub events: EventSet,
}

impl Source {
    /// A descriptor that is read.
    pub fn readable(file: &impl AsRawFd) -> Self {
        Self { fd: file.as_raw_fd(), events: EventSet::IN }
    }

    /// A descriptor that is read and written.
    pub fn duplex(file: &impl AsRawFd) -> Self {
        Self { fd: file.as_raw_fd(), events: EventSet::IN | EventSet::OUT }
    }
}

/// What a worker wants after it has looked at its queue once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// To be called when a source is ready.
    Sleep,
    /// To be called again at once.
    Again,
}

impl Polling {
    /// Ends a turn: tells the driver what was completed and asks for a kick, or for another turn where chains came
    /// meanwhile.
    pub fn after(queue: &mut Queue) -> Self {
        queue.signal();
        if queue.enable_kicks() { Self::Again } else { Self::Sleep }
    }

    /// Another turn if either wants one.
    pub fn or(self, other: Self) -> Self {
        if self == Self::Again { self } else { other }
    }
}

/// Something that reacts to file descriptors.
pub trait Worker: Send {
    /// What it watches, in an order that [`Worker::ready`] refers to. Asked once, when it is attached.
    fn sources(&self) -> Vec<Source>;

    /// Source number `source` became ready. Calls without cause are possible and must be harmless.
    fn ready(&mut self, source: usize) -> Result<Polling, Fault>;

    /// Called again and again, between two looks at the sources, after an answer of [`Polling::Again`].
    fn poll(&mut self) -> Result<Polling, Fault> {
        Ok(Polling::Sleep)
    }

    /// The worker comes off its loop. When this returns, no access of its own to guest memory is in flight, and each
    /// chain that it took was completed or put back. Gives where its queues stand.
    fn stop(&mut self) -> Vec<Position> {
        Vec::new()
    }
}

/// What to do when a worker faults, on the loop's thread. Must not wait for the loop.
pub type OnFault = Box<dyn Fn(&Fault) + Send>;

enum Command {
    Attach { id: u64, worker: Box<dyn Worker>, on_fault: OnFault, reply: SyncSender<io::Result<()>> },
    Detach { id: u64, reply: SyncSender<Vec<Position>> },
    After { due: Instant, act: Box<dyn FnOnce() + Send> },
    Stop,
}

struct Member {
    worker: Box<dyn Worker>,
    on_fault: OnFault,
    sources: Vec<Source>,
    faulted: bool,
}

/// The loop itself; `run` it on the thread that serves it.
pub struct EventLoop {
    epoll: Epoll,
    wake: Arc<EventFd>,
    sender: Sender<Command>,
    commands: Receiver<Command>,
    members: HashMap<u64, Member>,
    polling: Vec<u64>,
    at_rest: Option<Box<dyn FnOnce() + Send>>,
    timers: Vec<(Instant, Box<dyn FnOnce() + Send>)>,
    running: bool,
}

/// A way to reach a loop from other threads.
#[derive(Clone)]
pub struct LoopHandle {
    sender: Sender<Command>,
    wake: Arc<EventFd>,
}

/// A worker on a loop, for as long as this is kept: dropping it takes the worker off and ends it.
#[derive(Debug)]
pub struct Attached {
    /// None once it is off.
    id: Option<u64>,
    handle: LoopHandle,
}

/// Ids are never used twice, so an event of a worker that has gone is dropped.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
const WAKE: u64 = 0;
const SOURCE_BITS: u32 = 16;

/// Without an event for so long, a loop is at rest.
const REST: Duration = Duration::from_millis(250);

impl EventLoop {
    /// An empty loop.
    pub fn new() -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let wake = Arc::new(EventFd::new(EFD_NONBLOCK)?);
        let event = EpollEvent::new(EventSet::IN | EventSet::EDGE_TRIGGERED, WAKE);
        epoll.ctl(ControlOperation::Add, wake.as_raw_fd(), event)?;
        let (sender, commands) = channel();
        let (members, polling, timers) = (HashMap::new(), Vec::new(), Vec::new());
        Ok(Self { epoll, wake, sender, commands, members, polling, at_rest: None, timers, running: true })
    }

    /// A way to reach it.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle { sender: self.sender.clone(), wake: Arc::clone(&self.wake) }
    }

    /// Adds a worker that stays until the loop ends. For the loop's own thread, before it runs.
    pub fn add(&mut self, worker: Box<dyn Worker>, on_fault: OnFault) -> io::Result<()> {
        self.attach(NEXT_ID.fetch_add(1, Ordering::Relaxed), worker, on_fault)
    }

    /// Has this done once, on the loop's thread, when nothing has happened on it for a while.
    pub fn once_at_rest(&mut self, act: impl FnOnce() + Send + 'static) {
        self.at_rest = Some(Box::new(act));
    }

    /// Serves events until someone asks it to stop, then stops every worker and ends.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::default(); 32];
        let mut spare = Vec::new();
        while self.running {
            let count = match self.epoll.wait(self.timeout(), &mut events) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let timers = self.do_what_is_due();
            if count == 0 && self.polling.is_empty() && !timers {
                self.at_rest.take().into_iter().for_each(|act| act());
            }
            for event in events.iter().take(count) {
                match event.data() {
                    WAKE => self.obey(),
                    data => self
                        .call(data >> SOURCE_BITS, |worker| worker.ready((data & ((1 << SOURCE_BITS) - 1)) as usize)),
                }
            }
            // Two lists change places, so that a worker that polls for long allocates nothing.
            let mut turn = std::mem::replace(&mut self.polling, std::mem::take(&mut spare));
            for id in turn.drain(..) {
                self.call(id, |worker| worker.poll());
            }
            spare = turn;
        }
        for member in self.members.values_mut() {
            member.worker.stop();
        }
        Ok(())
    }

    /// How long to wait for an event, in milliseconds as epoll_wait(2) counts them; -1 is without a limit.
    fn timeout(&self) -> i32 {
        if !self.polling.is_empty() {
            return 0;
        }
        let rest = self.at_rest.as_ref().map(|_| REST);
        let timer =
            self.timers.iter().map(|(due, _)| *due).min().map(|due| due.saturating_duration_since(Instant::now()));
        // Rounded up: a timer that is due in part of a millisecond is not asked for again and again.
        let milliseconds = |time: Duration| i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        rest.into_iter().chain(timer).min().map_or(-1, milliseconds)
    }

    /// Does what is due by now, and tells whether anything was.
    fn do_what_is_due(&mut self) -> bool {
        if self.timers.is_empty() {
            return false;
        }
        let now = Instant::now();
        let timers = std::mem::take(&mut self.timers);
        let (due, later): (Vec<_>, Vec<_>) = timers.into_iter().partition(|(due, _)| *due <= now);
        self.timers = later;
        let any = !due.is_empty();
        due.into_iter().for_each(|(_, act)| act());
        any
    }

    fn call(&mut self, id: u64, act: impl FnOnce(&mut dyn Worker) -> Result<Polling, Fault>) {
        let Some(member) = self.members.get_mut(&id).filter(|member| !member.faulted) else { return };
        match act(member.worker.as_mut()) {
            Ok(Polling::Sleep) => {}
            Ok(Polling::Again) => {
                if !self.polling.contains(&id) {
                    self.polling.push(id);
                }
            }
            Err(fault) => {
                member.faulted = true;
                forget(&self.epoll, &member.sources);
                (member.on_fault)(&fault);
            }
        }
    }

    fn obey(&mut self) {
        let _ = self.wake.read();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Attach { id, worker, on_fault, reply } => {
                    let _ = reply.send(self.attach(id, worker, on_fault));
                }
                Command::Detach { id, reply } => {
                    let mut positions = Vec::new();
                    if let Some(mut member) = self.members.remove(&id) {
                        forget(&self.epoll, &member.sources);
                        positions = member.worker.stop();
                    }
                    let _ = reply.send(positions);
                }
                Command::After { due, act } => self.timers.push((due, act)),
                Command::Stop => self.running = false,
            }
        }
    }

    fn attach(&mut self, id: u64, worker: Box<dyn Worker>, on_fault: OnFault) -> io::Result<()> {
        let sources = worker.sources();
        for (index, source) in sources.iter().enumerate() {
            let event = EpollEvent::new(source.events | EventSet::EDGE_TRIGGERED, id << SOURCE_BITS | index as u64);
            if let Err(error) = self.epoll.ctl(ControlOperation::Add, source.fd, event) {
                forget(&self.epoll, &sources[..index]);
                return Err(error);
            }
        }
        self.members.insert(id, Member { worker, on_fault, sources, faulted: false });
        Ok(())
    }
}

/// Takes descriptors out of the epoll set; one that was closed is out of it already.
fn forget(epoll: &Epoll, sources: &[Source]) {
    for source in sources {
        let _ = epoll.ctl(ControlOperation::Delete, source.fd, EpollEvent::default());
    }
}

impl LoopHandle {
    /// Puts a worker on the loop and waits until it is watched.
    pub fn attach(&self, worker: Box<dyn Worker>, on_fault: OnFault) -> io::Result<Attached> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = sync_channel(1);
        self.send(Command::Attach { id, worker, on_fault, reply });
        answer.recv().unwrap_or_else(|_| Err(io::Error::other("the device loop has ended")))?;
        Ok(Attached { id: Some(id), handle: self.clone() })
    }

    /// Has this done once on the loop's thread, when the time is over and the loop still runs. Costs no descriptor: the
    /// loop waits for events no longer than until then.
    pub fn after(&self, time: Duration, act: impl FnOnce() + Send + 'static) {
        // A time that no clock reaches never comes.
        if let Some(due) = Instant::now().checked_add(time) {
            self.send(Command::After { due, act: Box::new(act) });
        }
    }

    /// Ends `run`.
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    fn send(&self, command: Command) {
        // A loop that has ended stopped its workers: no worker is left to be told.
        let _ = self.sender.send(command);
        crate::interrupt::signal(&self.wake);
    }
}

impl Attached {
    /// Takes the worker off the loop, waits until it has stopped, and gives where its queues stand. Not to be called on
    /// the loop's own thread while it runs.
    pub fn stop(mut self) -> Vec<Position> {
        self.detach()
    }

    fn detach(&mut self) -> Vec<Position> {
        let Some(id) = self.id.take() else { return Vec::new() };
        let (reply, answer) = sync_channel(1);
        self.handle.send(Command::Detach { id, reply });
        // An error means that the loop has ended, and with it the worker.
        answer.recv().unwrap_or_default()
    }
}

impl Drop for Attached {
    /// As [`Attached::stop`].
    fn drop(&mut self) {
        self.detach();
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventLoop({} workers)", self.members.len())
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoopHandle")
    }
}

#[cfg(test)]
#[path = "event_loop_test.rs"]
mod tests;
