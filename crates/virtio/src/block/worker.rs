//! One queue of a disk at work: takes requests, has them carried out, and hands them back with their
//! status.
//!
//! It never waits for the disk with an io_uring, but in `stop`. A completion goes back in the turn in
//! which it is found; what the page cache holds is complete as soon as it was submitted.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use illico_memory::{Buffers, Uring};

use crate::chain::Chain;
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::{Position, Queue};

use super::engine::{Engine, Job, Progress};
use super::polling::{BusyPoll, LOOKS};
use super::request::{Refusal, Request, Segment, Status};
use super::{F_DISCARD, F_WRITE_ZEROES};

/// What one turn on the loop may cost, whatever a guest asks for: each step of a request one, and one more for each
/// [`COST_BYTES`] that it moves or zeroes. What is left is done in the next turn.
const TURN: usize = 256;
const COST_BYTES: u64 = 16 << 10;
/// What a flush costs: the host's disk takes as long as it likes.
const FLUSH_COST: usize = TURN / 4;
/// Bytes that one step of a request moves at most.
const MAX_STEP: usize = 1 << 20;

/// Rings that no worker has. They are made with the disk, for this process may lose the right to, and
/// outlive the workers of a guest that resets it.
pub(super) type Parked = Arc<Mutex<Vec<Uring<Job>>>>;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There is no request left.
    Empty,
    /// Others should have a turn.
    Over,
}

/// The worker of one queue.
#[derive(Debug)]
pub(super) struct Server {
    queue: Queue,
    engine: Engine,
    parked: Parked,
    /// With `poll=adaptive`.
    looking: Option<BusyPoll>,
    /// Requests that were handed back.
    handed_back: u64,
    /// Empty lists for status bytes and for what follows a step, kept so that a request allocates nothing.
    spare: Vec<Buffers>,
    /// Requests that have steps left, in order.
    later: VecDeque<Job>,
    /// What the driver may ask for.
    features: u64,
}

impl Server {
    pub(super) fn new(queue: Queue, engine: Engine, parked: Parked, looking: Option<BusyPoll>, features: u64) -> Self {
        let later = VecDeque::with_capacity(queue.size().into());
        Self { queue, engine, parked, looking, handed_back: 0, spare: Vec::new(), later, features }
    }

    fn serve(&mut self) -> Result<Polling, Fault> {
        loop {
            self.queue.disable_kicks();
            let before = self.handed_back;
            self.hand_back_done();
            let taken = self.take_requests();
            // After a fault too: `stop` waits for what was begun.
            let settled = self.settle();
            self.queue.signal();
            let (turn, settled) = (taken?, settled?);
            if turn == Turn::Over || !settled || !self.later.is_empty() {
                return Ok(Polling::Again);
            }
            if let Some(looking) = &mut self.looking
                && (self.handed_back > before && looking.begin() || looking.is_on())
            {
                return Ok(Polling::Again);
            }
            if !self.queue.enable_kicks() {
                return Ok(Polling::Sleep);
            }
        }
    }

    /// Makes a step of each request that has some left, then begins requests until there are none, or until others on
    /// the loop should have a turn. The engine has room for all: a ring hands out no more chains than it has entries.
    fn take_requests(&mut self) -> Result<Turn, Fault> {
        let mut cost = 0;
        for _ in 0..self.later.len() {
            if cost >= TURN {
                return Ok(Turn::Over);
            }
            if let Some(job) = self.later.pop_front() {
                cost += self.step(job);
            }
        }
        let resumed = cost;
        while cost < TURN {
            let Some(chain) = self.queue.pop()? else { return Ok(Turn::Empty) };
            if cost == resumed
                && let Some(looking) = &mut self.looking
            {
                looking.arrived();
            }
            cost += self.begin(chain)?;
        }
        Ok(Turn::Over)
    }

    fn spare(&mut self) -> Buffers {
        self.spare.pop().unwrap_or_else(|| Buffers::new(self.queue.ram().clone()))
    }

    /// Makes one step of a request, and gives what it cost.
    fn step(&mut self, mut job: Job) -> usize {
        let data = match &job.request {
            Request::Read { .. } => &mut job.chain.writable,
            Request::Write { .. } => &mut job.chain.readable,
            Request::Flush => {
                self.proceed(job);
                return FLUSH_COST;
            }
            _ => {
                let bytes = self.proceed(job);
                return 1 + (bytes / COST_BYTES) as usize;
            }
        };
        if data.is_empty() {
            std::mem::swap(data, &mut job.rest);
        }
        if data.len() > MAX_STEP {
            // It is longer than that, so it splits.
            let _ = data.split_off(MAX_STEP, &mut job.rest);
        }
        let cost = 1 + (data.len() as u64 / COST_BYTES) as usize;
        self.proceed(job);
        cost
    }

    /// Gives a step to the engine. For a range, gives the bytes that were zeroed at once.
    fn proceed(&mut self, job: Job) -> u64 {
        let Some((job, result)) = self.engine.begin(job) else { return 0 };
        let bytes = match job.request {
            Request::WriteZeroes(_) => job.segment.len,
            _ => 0,
        };
        self.finish(job, result);
        bytes
    }

    /// Whether the driver negotiated what it asks for: § 5.2.6.2.
    fn is_negotiated(&self, request: &Request) -> bool {
        match request {
            Request::Discard(_) => self.features & F_DISCARD != 0,
            Request::WriteZeroes(_) => self.features & F_WRITE_ZEROES != 0,
            _ => true,
        }
    }

    fn begin(&mut self, mut chain: Chain) -> Result<usize, Fault> {
        let mut status = self.spare();
        let request = Request::parse(&mut chain, &mut status, self.engine.disk().extent());
        let room = chain.writable.len();
        match request {
            Ok(request) if !self.is_negotiated(&request) => {
                self.hand_back(chain, status, room, Status::Unsupported);
                Ok(1)
            }
            Ok(request) => {
                if let Request::Write { .. } = request {
                    self.queue.count_from_guest(chain.readable.len() as u64);
                }
                let rest = self.spare();
                Ok(self.step(Job { chain, status, room, rest, request, segment: Segment::default() }))
            }
            Err(Refusal::With { status: code, why: _ }) => {
                self.hand_back(chain, status, room, code);
                Ok(1)
            }
            Err(refusal @ Refusal::NoStatus) => {
                self.queue.complete(chain, 0);
                Err(Fault::new(refusal.to_string()))
            }
        }
    }

    /// Hands over what was begun and hands back what is done, until nothing moves. `false` where the
    /// kernel is short of memory and has to be asked again.
    fn settle(&mut self) -> Result<bool, Fault> {
        loop {
            let submitted = match self.engine.submit() {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ResourceBusy) => {
                    self.hand_back_done();
                    return Ok(false);
                }
                other => other.map_err(|error| Fault::new(format!("submitting requests to io_uring: {error}")))?,
            };
            self.hand_back_done();
            if !submitted {
                return Ok(true);
            }
        }
    }

    fn hand_back_done(&mut self) {
        while let Some((job, result)) = self.engine.done() {
            self.finish(job, result);
        }
    }

    fn finish(&mut self, mut job: Job, result: io::Result<Progress>) {
        let status = match result {
            Ok(progress) if progress == Progress::Begun || !job.rest.is_empty() => {
                self.later.push_back(job);
                return;
            }
            Ok(_) => Status::Ok,
            Err(error) if error.kind() == ErrorKind::Unsupported => Status::Unsupported,
            Err(error) => {
                self.engine.disk().report(|| job.to_string(), &error);
                Status::IoError
            }
        };
        if let Request::Read { .. } = job.request {
            job.rest.fill(0);
        }
        job.rest.clear();
        self.spare.push(job.rest);
        self.hand_back(job.chain, job.status, job.room, status);
    }

    fn hand_back(&mut self, chain: Chain, mut place: Buffers, room: usize, status: Status) {
        // The status is the last byte, and a used length counts from the first one (§ 2.7.8.2): what
        // comes before it must have been written too, with zeros where there was nothing to say.
        chain.writable.fill(0);
        // The list holds exactly one byte.
        let _ = place.copy_from(0, &[status as u8]);
        place.clear();
        self.spare.push(place);
        // A list is shorter than u32::MAX, its status byte included.
        self.queue.complete(chain, room as u32 + 1);
        self.handed_back += 1;
    }
}

impl Worker for Server {
    fn sources(&self) -> Vec<Source> {
        let kick = Source::readable(self.queue.kick());
        std::iter::once(kick).chain(self.engine.ring().map(Source::readable)).collect()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        if !self.looking.as_ref().is_some_and(BusyPoll::is_on) {
            return self.serve();
        }
        for _ in 0..LOOKS {
            if self.queue.has_work() || self.engine.has_completion() {
                return self.serve();
            }
            spin_loop();
        }
        if !self.looking.as_mut().is_some_and(BusyPoll::is_over) {
            // On a host with no CPU to spare, the guest would wait for us while we wait for it.
            std::thread::yield_now();
            return Ok(Polling::Again);
        }
        if self.queue.enable_kicks() { self.serve() } else { Ok(Polling::Sleep) }
    }

    /// Ends what was begun: its requests may have been handed back in another order than they came in.
    fn stop(&mut self) -> Vec<Position> {
        loop {
            while let Some(job) = self.later.pop_front() {
                self.step(job);
            }
            self.hand_back_done();
            if self.engine.in_flight() == 0 {
                if self.later.is_empty() {
                    break;
                }
                continue;
            }
            if let Err(error) = self.engine.wait() {
                // The ring stays here, and keeps the memory of its requests when it is dropped.
                self.engine.disk().report(|| "waiting for requests in flight".into(), &error);
                break;
            }
            self.hand_back_done();
        }
        self.queue.signal();
        if let Some(ring) = self.engine.take_ring() {
            self.parked.lock().unwrap_or_else(PoisonError::into_inner).push(ring);
        }
        vec![self.queue.position()]
    }
}
