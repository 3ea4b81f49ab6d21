//! receiveq: bytes of a file into the buffers that the driver posted (VirtIO 1.3 § 5.3.6).
//!
//! Nothing is read before there is a buffer for it, so nothing is kept here. The driver is asked for
//! kicks only while input waits for a buffer: a driver that posts its buffers one by one, as Linux does,
//! exits for none of them.

use std::sync::Arc;

use illico_memory::Buffers;

use super::stream::{Stream, Transfer};
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::{Position, Queue};

/// Index of the file in `sources`, behind the kick.
const INPUT: usize = 1;
/// Buffers that are filled in one turn on the loop.
const TURN: usize = 64;

/// Fills what the driver posts with what arrives.
pub(super) struct Receiver {
    queue: Queue,
    input: Arc<Stream>,
    /// Whether there may be bytes to read.
    waiting: bool,
    /// What of a posted buffer is beyond one transfer.
    beyond: Buffers,
}

impl Receiver {
    pub(super) fn new(mut queue: Queue, input: Arc<Stream>) -> Self {
        let waiting = input.source().is_none();
        if !waiting {
            queue.disable_kicks();
        }
        let beyond = Buffers::new(queue.ram().clone());
        Self { queue, input, waiting, beyond }
    }

    fn serve(&mut self) -> Result<Polling, Fault> {
        self.queue.disable_kicks();
        for _ in 0..TURN {
            if !self.waiting {
                break;
            }
            let Some(mut chain) = self.queue.pop()? else {
                return Ok(Polling::after(&mut self.queue));
            };
            if chain.writable.is_empty() {
                self.queue.complete(chain, 0);
                continue;
            }
            let most = chain.writable.len().min(self.input.most());
            self.beyond.clear();
            chain.writable.split_off(most, &mut self.beyond).map_err(|error| Fault::new(error.to_string()))?;
            match self.input.read_into(&chain.writable) {
                // At most `most`, so it fits.
                Transfer::Moved(bytes) => self.queue.complete(chain, bytes as u32),
                Transfer::NotNow | Transfer::Over => {
                    self.queue.undo_pop(chain);
                    self.waiting = false;
                }
            }
        }
        self.queue.signal();
        Ok(if self.waiting { Polling::Again } else { Polling::Sleep })
    }
}

impl Worker for Receiver {
    fn sources(&self) -> Vec<Source> {
        [Source::readable(self.queue.kick())].into_iter().chain(self.input.source()).collect()
    }

    fn ready(&mut self, source: usize) -> Result<Polling, Fault> {
        self.waiting |= source == INPUT && !self.input.is_over();
        self.serve()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.serve()
    }

    fn stop(&mut self) -> Vec<Position> {
        vec![self.queue.position()]
    }
}
