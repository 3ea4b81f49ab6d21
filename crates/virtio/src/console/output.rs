//! transmitq: what the driver writes, to a file (VirtIO 1.3 § 5.3.6).
//!
//! The kernel takes the bytes from guest memory. A chain is handed back when all of it is written and no
//! sooner: a slow reader slows the guest down, and no byte that the guest was told of is lost. Where the
//! reader has gone, the rest is dropped.
//!
//! Linux writes its log 16 bytes at a time, with interrupts off, and looks at the ring until they are
//! taken. So after a chain the queue is watched a moment longer with kicks off, and the interrupt waits for
//! the end of that moment: a burst of messages costs one kick, and no interrupt at all to a driver that
//! has seen by then that its chain was used.

use std::hint::spin_loop;
use std::mem::swap;
use std::sync::Arc;
use std::thread::yield_now;

use illico_memory::Buffers;

use super::stream::{Stream, Transfer};
use crate::chain::Chain;
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::{Position, Queue};

/// Transfers in one turn on the loop.
const TURN: usize = 64;
/// Looks at an empty queue before kicks are asked for again, each about a microsecond.
pub(super) const LOOKS: u32 = 64;

/// Writes what the driver posts.
pub(super) struct Transmitter {
    queue: Queue,
    output: Arc<Stream>,
    /// A chain that is not all written, and how many bytes it had.
    current: Option<(Chain, usize)>,
    /// What follows `readable` of the current chain: it is cut to the size of a transfer.
    rest: Buffers,
    looks: u32,
}

impl Transmitter {
    pub(super) fn new(queue: Queue, output: Arc<Stream>) -> Self {
        let rest = Buffers::new(queue.ram().clone());
        Self { queue, output, current: None, rest, looks: 0 }
    }

    fn serve(&mut self) -> Result<Polling, Fault> {
        self.queue.disable_kicks();
        for _ in 0..TURN {
            let Some((mut chain, length)) = self.next()? else { return Ok(self.look()) };
            match self.write(&mut chain)? {
                Written::All => {
                    self.queue.count_from_guest(length as u64);
                    self.queue.complete(chain, 0);
                    self.looks = LOOKS;
                }
                Written::Part => self.current = Some((chain, length)),
                Written::NoRoom => {
                    // Kicks stay off: the file says when to go on, and then the whole queue is taken.
                    self.current = Some((chain, length));
                    self.queue.signal();
                    return Ok(Polling::Sleep);
                }
            }
        }
        self.queue.signal();
        Ok(Polling::Again)
    }

    fn next(&mut self) -> Result<Option<(Chain, usize)>, Fault> {
        if self.current.is_some() {
            return Ok(self.current.take());
        }
        let Some(mut chain) = self.queue.pop()? else { return Ok(None) };
        let length = chain.readable.len();
        // Written before the queue stopped here.
        let done = self.queue.take_done().min(length);
        chain.readable.advance(done).map_err(|error| Fault::new(error.to_string()))?;
        Ok(Some((chain, length)))
    }

    /// One transfer.
    fn write(&mut self, chain: &mut Chain) -> Result<Written, Fault> {
        let lost = |error: illico_memory::Short| Fault::new(error.to_string());
        let piece = self.output.most();
        if chain.readable.len() > piece {
            // Nothing is behind it yet: what was cut once is no longer than a transfer.
            chain.readable.split_off(piece, &mut self.rest).map_err(lost)?;
        }
        if !chain.readable.is_empty() {
            match self.output.write_from(&chain.readable) {
                Transfer::Moved(bytes) => chain.readable.advance(bytes).map_err(lost)?,
                Transfer::NotNow => return Ok(Written::NoRoom),
                Transfer::Over => {
                    chain.readable.clear();
                    self.rest.clear();
                }
            }
        }
        if chain.readable.is_empty() {
            swap(&mut chain.readable, &mut self.rest);
        }
        Ok(if chain.readable.is_empty() { Written::All } else { Written::Part })
    }

    /// Nothing to do: another look, or a rest until the driver kicks.
    fn look(&mut self) -> Polling {
        if self.looks > 0 {
            self.looks -= 1;
            // The guest is about to go on: it may share this core, or even this CPU.
            spin_loop();
            yield_now();
            return Polling::Again;
        }
        Polling::after(&mut self.queue)
    }
}

/// How far a chain got.
enum Written {
    All,
    Part,
    NoRoom,
}

impl Worker for Transmitter {
    fn sources(&self) -> Vec<Source> {
        [Source::readable(self.queue.kick())].into_iter().chain(self.output.source()).collect()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        if self.current.is_some() || self.queue.has_work() { self.serve() } else { Ok(self.look()) }
    }

    /// A chain that is written in part goes back with how much of it is.
    fn stop(&mut self) -> Vec<Position> {
        if let Some((chain, length)) = self.current.take() {
            let done = length - chain.readable.len() - self.rest.len();
            self.rest.clear();
            self.queue.undo_pop_partly(chain, done);
        }
        self.queue.signal();
        vec![self.queue.position()]
    }
}
