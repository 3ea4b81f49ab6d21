//! One queue of a disk at work: takes requests, has them carried out, and hands them back with their
//! status.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use illico_memory::Buffers;

use crate::chain::Chain;
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::Queue;

use super::disk::Disk;
use super::request::{ID_BYTES, Refusal, Request, Segments, Status};

/// What one turn on the loop may cost: each request one, and one more for each 64 KiB of its data.
/// Others on the loop get their turn, whatever a guest asks for.
const TURN: usize = 256;

/// A request that was taken from the ring.
struct Job {
    chain: Chain,
    /// Where its status goes.
    status: Buffers,
    /// Bytes of its writable buffers, the status aside.
    room: usize,
}

/// The worker of one queue.
pub(super) struct Server {
    queue: Queue,
    disk: Arc<Disk>,
    /// Completed writes must be stable.
    write_through: bool,
    /// Empty lists for status bytes, kept so that a request allocates nothing.
    spare: Vec<Buffers>,
}

impl Server {
    pub(super) fn new(queue: Queue, disk: Arc<Disk>, write_through: bool) -> Self {
        Self { queue, disk, write_through, spare: Vec::new() }
    }

    fn serve(&mut self) -> Result<Polling, Fault> {
        loop {
            self.queue.disable_kicks();
            let turn = self.take_turn();
            self.queue.signal();
            if turn? == Polling::Again {
                return Ok(Polling::Again);
            }
            if !self.queue.enable_kicks() {
                return Ok(Polling::Sleep);
            }
        }
    }

    /// Takes requests until there are none, or until others should have a turn.
    fn take_turn(&mut self) -> Result<Polling, Fault> {
        let mut cost = 0;
        while cost < TURN {
            let Some(chain) = self.queue.pop()? else { return Ok(Polling::Sleep) };
            cost += 1 + (chain.readable.len() + chain.writable.len()) / (64 << 10);
            self.begin(chain)?;
        }
        Ok(Polling::Again)
    }

    fn begin(&mut self, mut chain: Chain) -> Result<(), Fault> {
        let mut status = self.spare.pop().unwrap_or_else(|| Buffers::new(self.queue.ram().clone()));
        let request = Request::parse(&mut chain, &mut status, self.disk.extent());
        let room = chain.writable.len();
        let mut job = Job { chain, status, room };
        match request {
            Ok(request) => {
                let result = self.carry_out(request, &mut job);
                self.finish(job, result);
                Ok(())
            }
            Err(Refusal::With { status, why: _ }) => {
                self.hand_back(job, status);
                Ok(())
            }
            Err(refusal @ Refusal::NoStatus) => {
                self.queue.complete(job.chain, 0);
                Err(Fault::new(refusal.to_string()))
            }
        }
    }

    /// Does what was asked for, and returns when it is done.
    fn carry_out(&self, request: Request, job: &mut Job) -> io::Result<()> {
        match request {
            Request::Read { position } => self.disk.read(&mut job.chain.writable, position),
            Request::Write { position } => {
                self.queue.count_from_guest(job.chain.readable.len() as u64);
                self.disk.write(&mut job.chain.readable, position, self.write_through)
            }
            Request::Flush => self.disk.flush(),
            Request::Discard(segments) => self.each(segments, |segment| self.disk.discard(segment)),
            Request::WriteZeroes(segments) => self.each(segments, |segment| self.disk.write_zeroes(segment)),
            Request::GetId => identify(self.disk.name(), &mut job.chain.writable),
        }
    }

    fn each(&self, mut segments: Segments, act: impl Fn(super::request::Segment) -> io::Result<()>) -> io::Result<()> {
        segments.try_for_each(act)?;
        if self.write_through { self.disk.flush() } else { Ok(()) }
    }

    fn finish(&mut self, job: Job, result: io::Result<()>) {
        let status = match result {
            Ok(()) => Status::Ok,
            Err(error) if error.kind() == ErrorKind::Unsupported => Status::Unsupported,
            Err(error) => {
                self.disk.report("a request", &error);
                Status::IoError
            }
        };
        self.hand_back(job, status);
    }

    fn hand_back(&mut self, job: Job, status: Status) {
        let Job { chain, status: mut place, room } = job;
        // The status is the last byte, and a used length counts from the first one (§ 2.7.8.2): what
        // comes before it must have been written too, with zeros where there was nothing to say.
        chain.writable.fill(0);
        // The list holds exactly one byte.
        let _ = place.copy_from(0, &[status as u8]);
        place.clear();
        self.spare.push(place);
        // A list is shorter than u32::MAX, its status byte included.
        self.queue.complete(chain, room as u32 + 1);
    }
}

/// The name, padded with zeros; as much of it as there is room for.
fn identify(name: &str, data: &mut Buffers) -> io::Result<()> {
    let mut id = [0; ID_BYTES];
    let len = name.len().min(ID_BYTES);
    id[..len].copy_from_slice(&name.as_bytes()[..len]);
    let room = data.len().min(ID_BYTES);
    data.copy_from(0, &id[..room]).and_then(|()| data.advance(room)).map_err(io::Error::other)
}

impl Worker for Server {
    fn sources(&self) -> Vec<Source> {
        vec![Source::readable(self.queue.kick())]
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.serve()
    }
}
