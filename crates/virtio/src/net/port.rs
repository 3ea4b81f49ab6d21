//! What a network card is plugged into: something with a file descriptor that takes and gives frames, each with
//! the header of § 5.1.6 (12 bytes) before it.
//!
//! A tap is one, and so is a stream to another program.

use std::io;
use std::os::fd::AsFd;

use illico_memory::Buffers;

use super::feature::Offloads;

/// What came of looking for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// One of this length lies at the front of the room, header included.
    Frame(usize),
    /// One was longer than the room, and is lost.
    TooLong,
    /// None now, and perhaps none ever again. An event tells when that changes.
    Nothing,
}

/// The other end of one queue pair. The descriptor does not block.
pub trait Port: AsFd + Send + Sync {
    /// Says which work the frames that come out may leave to the driver. Told the first port of a card,
    /// for all of them, each time that a driver starts.
    fn set_offloads(&self, offloads: Offloads) -> io::Result<()>;

    /// Connects the port or disconnects it; frames come out of connected ones only. Told only where it
    /// changes something.
    fn set_attached(&self, attached: bool) -> io::Result<()>;

    /// Takes the next frame into the front of `room`. Until that is done, `room` keeps what it begins with.
    fn receive(&self, room: &mut Buffers) -> Received {
        loop {
            match room.read_datagram(self.as_fd()) {
                // The other end has hung up.
                Ok(Some(0)) => return Received::Nothing,
                Ok(Some(length)) => return Received::Frame(length),
                Ok(None) => return Received::TooLong,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nothing there; or the tap is detached, or gone.
                Err(_) => return Received::Nothing,
            }
        }
    }

    /// Sends a frame or drops it. `false` where it has to wait, since there is no room now.
    fn send(&self, frame: &mut Buffers) -> bool {
        loop {
            match frame.write_to(self.as_fd(), None) {
                Ok(_) => return true,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    kind => return kind != io::ErrorKind::WouldBlock,
                },
            }
        }
    }

    /// Sends what is left of a frame that was sent in part.
    fn flush(&self) {}

    /// Whether nothing comes out of it ever again: the driver sees its link go down.
    fn is_gone(&self) -> bool {
        false
    }
}
