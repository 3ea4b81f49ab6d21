//! Frames to the guest (VirtIO 1.3 § 5.1.6.3 and § 5.1.6.4): from the port into posted chains, with one
//! system call a frame, and one interrupt a batch.
//!
//! How long the next frame is, a tap does not tell beforehand. So chains are gathered until the longest
//! frame fits, and those that a frame did not need wait for the next one.
//!
//! Where too little is posted for the longest frame:
//! - with `MRG_RXBUF` and a ring of some size, frames wait in the port until the driver posts more. A
//!   driver that keeps up always has more posted than one frame;
//! - with a small ring, where it may never have, or one chain a frame, what is there is used; a frame
//!   that does not fit is dropped.

#![deny(clippy::indexing_slicing)]

use std::collections::VecDeque;

use illico_memory::{Buffers, Short};

use super::feature::{self, Offloads};
use super::port::{Port, Received};
use super::{FRAMES_A_CALL, HEADER, MAX_FRAME, QUEUE_SIZE};
use crate::chain::Chain;
use crate::event_loop::{Fault, Polling};
use crate::queue::{Position, Queue};

/// Offsets in the header of § 5.1.6.
const FLAGS: usize = 0;
const NUM_BUFFERS: usize = 10;

/// Ranges that one system call takes (`IOV_MAX`), without the one that `read_datagram` needs and without
/// those that the next chain may bring.
const MAX_RANGES: usize = 1023 - QUEUE_SIZE as usize;

/// A ring in which a driver that keeps up has the longest frame posted several times over, though it
/// fills the ring again only when half of it is used up.
const PATIENT_RING: u16 = 128;

/// Link-layer framing around what the MTU counts: the Ethernet header and two VLAN tags.
const FRAMING: usize = 14 + 8;

/// The receiving half of a queue pair.
pub(super) struct Receiver {
    queue: Queue,
    /// Chains taken and not yet used, and all their room in one list.
    chains: VecDeque<Chain>,
    room: Buffers,
    mergeable: bool,
    /// The driver can take a checksum as checked already.
    checksum: bool,
    /// With less room than this, frames wait.
    enough: usize,
    /// The port may have frames: its source was ready, and did not run dry since.
    readable: bool,
    kicks_wanted: bool,
}

impl Receiver {
    pub(super) fn new(mut queue: Queue, features: u64, mtu: u16) -> Self {
        // A kick is only worth its exit when frames wait for room.
        queue.disable_kicks();
        let mergeable = features & feature::MRG_RXBUF != 0;
        let offloads = Offloads::agreed(features);
        let enough = match () {
            () if !mergeable || queue.size() < PATIENT_RING => HEADER,
            () if offloads.long_frames() => MAX_FRAME,
            () => HEADER + FRAMING + usize::from(mtu),
        };
        Self {
            chains: VecDeque::with_capacity(queue.size().into()),
            room: Buffers::new(queue.ram().clone()),
            queue,
            mergeable,
            checksum: offloads.checksum,
            enough,
            readable: false,
            kicks_wanted: false,
        }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Puts the chains back that hold no frame, from the last to the first.
    pub(super) fn stop(&mut self) -> Position {
        self.room.clear();
        while let Some(chain) = self.chains.pop_back() {
            self.queue.undo_pop(chain);
        }
        self.queue.signal();
        self.queue.position()
    }

    /// The port has frames, as far as it is known.
    pub(super) fn port_ready(&mut self) {
        self.readable = true;
    }

    /// Moves frames until the port is empty, or room is short, or others should have their turn.
    pub(super) fn serve(&mut self, port: &dyn Port) -> Result<Polling, Fault> {
        let mut polling = Polling::Sleep;
        let mut frames = 0;
        while self.readable && self.gather()? {
            if frames == FRAMES_A_CALL {
                polling = Polling::Again;
                break;
            }
            frames += 1;
            match port.receive(&mut self.room) {
                Received::Frame(length) => self.deliver(length).map_err(|short| Fault::new(short.to_string()))?,
                // The room is used again.
                Received::TooLong => {}
                Received::Nothing => self.readable = false,
            }
        }
        self.queue.signal();
        Ok(polling)
    }

    /// Takes chains for the next frame. Where they are too few, asks for a kick and says `false`.
    fn gather(&mut self) -> Result<bool, Fault> {
        loop {
            while !self.is_full() {
                let Some(chain) = self.queue.pop()? else { break };
                let room = chain.writable.len();
                self.room.append(&chain.writable);
                self.chains.push_back(chain);
                if room < HEADER {
                    return Err(Fault::new(format!("a receive buffer of {room} bytes has no room for a header")));
                }
            }
            if !self.chains.is_empty() && (self.is_full() || self.room.len() >= self.enough) {
                if std::mem::take(&mut self.kicks_wanted) {
                    self.queue.disable_kicks();
                }
                return Ok(true);
            }
            self.kicks_wanted = true;
            if !self.queue.enable_kicks() {
                return Ok(false);
            }
        }
    }

    /// Whether more chains would be of no use to the next frame.
    fn is_full(&self) -> bool {
        if self.mergeable {
            self.room.len() >= MAX_FRAME || self.room.ranges() > MAX_RANGES
        } else {
            !self.chains.is_empty()
        }
    }

    /// Hands the driver a frame that lies at the front of the room, all of its chains at once.
    fn deliver(&mut self, length: usize) -> Result<(), Short> {
        if length < HEADER {
            return Ok(());
        }
        let (mut count, mut room) = (0_u16, 0);
        for chain in &self.chains {
            count += 1;
            room += chain.writable.len();
            if room >= length {
                break;
            }
        }
        // The port fills the first ten bytes of the header and leaves these two as they were.
        self.room.copy_from(NUM_BUFFERS, &count.to_le_bytes())?;
        if !self.checksum {
            // § 5.1.6.4.1: no flags without GUEST_CSUM, though a tap sets DATA_VALID all the same.
            self.room.copy_from(FLAGS, &[0])?;
        }
        self.room.advance(room)?;
        let mut left = length;
        for chain in self.chains.drain(..usize::from(count)) {
            let written = left.min(chain.writable.len());
            left -= written;
            // Part of a frame, so it fits.
            self.queue.stage(chain, written as u32);
        }
        self.queue.publish();
        Ok(())
    }
}
