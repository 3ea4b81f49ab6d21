//! The control queue (VirtIO 1.3 § 5.1.6.5): how many queue pairs the driver uses. It is there only where
//! there are several.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use illico_memory::Buffers;

use super::pairs::Pairs;
use crate::event_loop::{Fault, Polling};
use crate::queue::Queue;

/// § 5.1.6.5: class, command, and the byte that answers.
const CLASS_MQ: u8 = 4;
const MQ_VQ_PAIRS_SET: u8 = 0;
const OK: u8 = 0;
const ERR: u8 = 1;

/// Drivers have one command in flight.
pub(super) const QUEUE_SIZE: u16 = 16;

/// Obeys commands.
pub(super) struct Control {
    queue: Queue,
}

impl Control {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Obeys what there is.
    pub(super) fn serve(&mut self, pairs: &Pairs) -> Result<Polling, Fault> {
        self.queue.disable_kicks();
        for _ in 0..QUEUE_SIZE {
            let Some(chain) = self.queue.pop()? else { break };
            let answer = if obey(&chain.readable, pairs) { OK } else { ERR };
            // A command without room for the answer gets none.
            let answered = chain.writable.copy_from(0, &[answer]);
            self.queue.complete(chain, answered.is_ok().into());
        }
        Ok(Polling::after(&mut self.queue))
    }
}

/// Whether there is such a command and it was done.
fn obey(command: &Buffers, pairs: &Pairs) -> bool {
    let mut bytes = [0; 4];
    if command.copy_to(0, &mut bytes).is_err() {
        return false;
    }
    let [class, command, low, high] = bytes;
    match (class, command) {
        (CLASS_MQ, MQ_VQ_PAIRS_SET) => pairs.set_active(u16::from_le_bytes([low, high]).into()),
        _ => false,
    }
}
