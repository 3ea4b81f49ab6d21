//! How a request is carried out: by calls that wait, or by an io_uring that tells when it is done.
//!
//! Both take a [`Job`] and give it back with its result; which of them works shows in nothing else.

use std::fmt;
use std::io;
use std::sync::Arc;

use illico_memory::{Allocate, Buffers, Completion, Uring};

use crate::chain::Chain;

use super::disk::{Backing, Disk, progress};
use super::request::{ID_BYTES, Request, Segment};

/// A request that was taken from the ring.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) chain: Chain,
    /// Where its status goes.
    pub(super) status: Buffers,
    /// Bytes of its writable buffers, the status aside.
    pub(super) room: usize,
    /// Data behind what the next step moves.
    pub(super) rest: Buffers,
    /// What is left to do.
    pub(super) request: Request,
    /// The range that is being worked on, where it has ranges.
    pub(super) segment: Segment,
}

/// What of it is left, for messages on the host.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Request::Read { position } => write!(f, "reading {} bytes at {position}", self.chain.writable.len()),
            Request::Write { position } => write!(f, "writing {} bytes at {position}", self.chain.readable.len()),
            Request::Flush => f.write_str("flushing"),
            Request::GetId => f.write_str("telling the id"),
            Request::Discard(_) => write!(f, "discarding {} bytes at {}", self.segment.len, self.segment.position),
            Request::WriteZeroes(_) => write!(f, "zeroing {} bytes at {}", self.segment.len, self.segment.position),
        }
    }
}

/// How far a job got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There are steps left.
    Begun,
    /// The step was the last one, unless there is data in [`Job::rest`].
    Done,
}

/// Bytes of a range that are zeroed in one step by a call that waits: they may have to be written out.
const MAX_ZEROES_STEP: u64 = 4 << 20;

/// A job whose step is over, well or not.
pub(super) type Done = (Job, io::Result<Progress>);

/// What carries out the requests of one queue.
#[derive(Debug)]
pub(super) struct Engine {
    disk: Arc<Disk>,
    /// Completed writes must be stable.
    write_through: bool,
    /// Without one, every job is done when it was begun.
    ring: Option<Uring<Job>>,
    /// The kernel could not zero a range through the ring. Its other ways wait, so ranges are zeroed step by step.
    zeroes_wait: bool,
}

impl Engine {
    pub(super) fn new(disk: Arc<Disk>, write_through: bool, ring: Option<Uring<Job>>) -> Self {
        Self { disk, write_through, ring, zeroes_wait: false }
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The ring, whose descriptor tells that jobs are done.
    pub(super) fn ring(&self) -> Option<&Uring<Job>> {
        self.ring.as_ref()
    }

    /// Gives up the ring, if nothing is in flight in it.
    pub(super) fn take_ring(&mut self) -> Option<Uring<Job>> {
        self.ring.take_if(|ring| ring.in_flight() == 0)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.ring.as_ref().map_or(0, Uring::in_flight)
    }

    pub(super) fn has_completion(&mut self) -> bool {
        self.ring.as_mut().is_some_and(Uring::has_completion)
    }

    /// Hands to the kernel what was begun: one system call for all of it. Whether there was anything.
    pub(super) fn submit(&mut self) -> io::Result<bool> {
        self.ring.as_mut().map_or(Ok(false), Uring::submit)
    }

    /// Waits until a job that is in flight has moved on.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.ring.as_mut().map_or(Ok(()), Uring::wait)
    }

    /// Takes out a job that has come to its end since it was begun. Those that have some way to go
    /// begin again, for the next `submit`.
    pub(super) fn done(&mut self) -> Option<Done> {
        loop {
            let Completion { owner, result } = self.ring.as_mut()?.completion()?;
            if let Some(done) = self.go_on(owner, result) {
                return Some(done);
            }
        }
    }

    /// Begins a job, or what is left of it. Gives it back if that is nothing.
    pub(super) fn begin(&mut self, mut job: Job) -> Option<Done> {
        let Some(ring) = &mut self.ring else {
            let result = carry_out(&self.disk, self.write_through, &mut job);
            return Some((job, result));
        };
        match &mut job.request {
            Request::Read { .. } if job.chain.writable.is_empty() => return Some((job, Ok(Progress::Done))),
            Request::Write { .. } if job.chain.readable.is_empty() => return Some((job, Ok(Progress::Done))),
            &mut Request::Read { position } => ring.read(position, job, |job| &job.chain.writable),
            &mut Request::Write { position } => {
                ring.write(position, self.write_through, job, |job| &job.chain.readable);
            }
            Request::Flush => return self.begin_flush(job),
            Request::GetId => {
                let result = identify(self.disk.name(), &mut job.chain.writable);
                return Some((job, result.map(|()| Progress::Done)));
            }
            Request::WriteZeroes(_) if self.zeroes_wait => {
                let result = carry_out(&self.disk, self.write_through, &mut job);
                return Some((job, result));
            }
            Request::Discard(segments) | Request::WriteZeroes(segments) => match segments.find(|next| next.len > 0) {
                Some(segment) => {
                    job.segment = segment;
                    return self.begin_segment(job);
                }
                // All ranges are done. Where no flush will come, they are made stable at once.
                None if self.write_through => {
                    job.request = Request::Flush;
                    return self.begin_flush(job);
                }
                None => return Some((job, Ok(Progress::Done))),
            },
        }
        None
    }

    fn begin_flush(&mut self, job: Job) -> Option<Done> {
        if let Err(error) = self.disk.may_flush() {
            return Some((job, Err(error)));
        }
        self.ring.as_mut()?.data_sync(job);
        None
    }

    fn begin_segment(&mut self, job: Job) -> Option<Done> {
        let Segment { position, len, unmap } = job.segment;
        let discard = matches!(job.request, Request::Discard(_));
        if discard && self.disk.backing() == Backing::Device {
            // Only an ioctl does it, and it waits: one range in a step.
            let result = self.disk.discard(job.segment);
            return Some((job, result.map(|()| Progress::Begun)));
        }
        let how = if discard || unmap { Allocate::PunchHole } else { Allocate::ZeroRange };
        self.ring.as_mut()?.allocate(how, position, len, job);
        None
    }

    /// One step of a job has been made. Gives it back if that was the last one.
    fn go_on(&mut self, mut job: Job, result: io::Result<usize>) -> Option<Done> {
        let step = match &mut job.request {
            Request::Read { position } => progress(&mut job.chain.writable, position, result),
            Request::Write { position } => progress(&mut job.chain.readable, position, result),
            Request::Flush => self.disk.flushed(result.map(drop)).map(|()| true),
            Request::GetId => Ok(true),
            Request::Discard(_) => result.map(|_| false),
            Request::WriteZeroes(segments) if result.is_err() => {
                self.zeroes_wait = true;
                segments.put_back(job.segment);
                // A range may be the whole disk: its steps are made in later turns.
                job.segment.len = 0;
                return Some((job, Ok(Progress::Begun)));
            }
            Request::WriteZeroes(_) => Ok(false),
        };
        match step {
            Ok(false) => self.begin(job),
            Ok(true) => Some((job, Ok(Progress::Done))),
            Err(error) => Some((job, Err(error))),
        }
    }
}

/// Makes the next step of a job, and returns when it is made.
fn carry_out(disk: &Disk, write_through: bool, job: &mut Job) -> io::Result<Progress> {
    let piece = match &mut job.request {
        Request::Read { position } => {
            let len = job.chain.writable.len() as u64;
            disk.read(&mut job.chain.writable, *position)?;
            *position += len;
            return Ok(Progress::Done);
        }
        Request::Write { position } => {
            let len = job.chain.readable.len() as u64;
            disk.write(&mut job.chain.readable, *position, write_through)?;
            *position += len;
            return Ok(Progress::Done);
        }
        Request::Flush => return disk.flush().map(|()| Progress::Done),
        Request::GetId => return identify(disk.name(), &mut job.chain.writable).map(|()| Progress::Done),
        Request::Discard(segments) => segments.next(),
        Request::WriteZeroes(segments) => segments.next_piece(MAX_ZEROES_STEP),
    };
    let Some(segment) = piece else {
        return if write_through { disk.flush().map(|()| Progress::Done) } else { Ok(Progress::Done) };
    };
    job.segment = segment;
    match job.request {
        Request::Discard(_) => disk.discard(segment)?,
        _ => disk.write_zeroes(segment)?,
    }
    Ok(Progress::Begun)
}

/// The name, padded with zeros; as much of it as there is room for.
fn identify(name: &str, data: &mut Buffers) -> io::Result<()> {
    let mut id = [0; ID_BYTES];
    let len = name.len().min(ID_BYTES);
    id[..len].copy_from_slice(&name.as_bytes()[..len]);
    let room = data.len().min(ID_BYTES);
    data.copy_from(0, &id[..room]).and_then(|()| data.advance(room)).map_err(io::Error::other)
}
