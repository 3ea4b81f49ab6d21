//! Frames from the guest (VirtIO 1.3 § 5.1.6.2): each chain is one frame, header included, and goes to
//! the port with one system call, from where it lies.
//!
//! What the port does not take is dropped and completed, as on a wire: a frame without a header, one
//! that is too long, a segmentation header that makes no sense, a tap that is down. Only where the
//! port is full does a frame wait.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use illico_memory::Buffers;

use super::feature::Allowed;
use super::port::Port;
use super::{FRAMES_A_CALL, HEADER, MAX_FRAME};
use crate::chain::Chain;
use crate::event_loop::{Fault, Polling};
use crate::queue::{Position, Queue};

/// The sending half of a queue pair.
pub(super) struct Transmitter {
    queue: Queue,
    /// A frame for which the port had no room.
    waiting: Option<Chain>,
    allowed: Allowed,
}

impl Transmitter {
    pub(super) fn new(queue: Queue, features: u64) -> Self {
        Self { queue, waiting: None, allowed: Allowed::by(features) }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Puts the frame back that waits for room.
    pub(super) fn stop(&mut self) -> Position {
        if let Some(chain) = self.waiting.take() {
            self.queue.undo_pop(chain);
        }
        self.queue.signal();
        self.queue.position()
    }

    /// Sends what there is, until the port is full or others should have their turn. It is for the
    /// caller to `signal` afterwards.
    pub(super) fn serve(&mut self, port: &dyn Port) -> Result<Polling, Fault> {
        port.flush();
        self.queue.disable_kicks();
        for _ in 0..FRAMES_A_CALL {
            let mut chain = match self.waiting.take() {
                Some(chain) => chain,
                None => match self.queue.pop()? {
                    Some(chain) => chain,
                    None => {
                        let more = self.queue.enable_kicks();
                        return Ok(if more { Polling::Again } else { Polling::Sleep });
                    }
                },
            };
            if !self.send(&mut chain.readable, port) {
                // No kick is needed before there is room: the port says when.
                self.waiting = Some(chain);
                return Ok(Polling::Sleep);
            }
            self.queue.count_from_guest(chain.readable.len() as u64);
            self.queue.complete(chain, 0);
        }
        Ok(Polling::Again)
    }

    /// Tells the driver what was sent since the last call, if it wants to hear.
    pub(super) fn signal(&mut self) {
        self.queue.signal();
    }

    /// Sends a frame or drops it. `false` where the port has no room now.
    fn send(&self, frame: &mut Buffers, port: &dyn Port) -> bool {
        let mut header = [0; 2];
        let fits = (HEADER..=MAX_FRAME).contains(&frame.len()) && frame.copy_to(0, &mut header).is_ok();
        !fits || !self.allowed.permits(header) || port.send(frame)
    }
}
