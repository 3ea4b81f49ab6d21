//! What a network card is plugged into: a file descriptor that takes and gives one frame a call, with
//! the header of § 5.1.6 (12 bytes) before it.
//!
//! A tap is one, and so is a datagram socket to another program.

use std::io;
use std::os::fd::AsFd;

use super::feature::Offloads;

/// The other end of one queue pair. The descriptor does not block.
pub trait Port: AsFd + Send + Sync {
    /// Says which work the frames that come out may leave to the driver. Told the first port of a card,
    /// for all of them.
    fn set_offloads(&self, offloads: Offloads) -> io::Result<()>;

    /// Connects the port or disconnects it; frames come out of connected ones only. Told only where it
    /// changes something.
    fn set_attached(&self, attached: bool) -> io::Result<()>;
}
