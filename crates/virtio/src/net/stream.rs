//! Frames over a stream socket to another program, as QEMU's `-netdev stream` has them: the length in four bytes, the
//! highest first, then the Ethernet frame.
//!
//! A frame is read where it belongs, together with the length of the next, by one system call; and written by one with
//! its own length. A stream may be cut anywhere: where a frame comes in pieces the pieces are read one behind the
//! other, and what is left of one that was written in part is kept here until there is room.

#![deny(clippy::indexing_slicing)]

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use illico_memory::Buffers;

use super::HEADER;
use super::feature::Offloads;
use super::port::{Port, Received};
use crate::complaints::say;

/// Bytes of a length.
const LENGTH: usize = 4;

/// A frame at most: IPv4 or IPv6 with the longest length that they have, and Ethernet around it.
const MAX_FRAME: usize = 14 + 65535;

/// An Ethernet header: a shorter frame has no destination.
const MIN_FRAME: usize = 14;

/// What a reader is told about the other end, when that has gone.
pub(super) trait Peer: Send {
    /// What it was, and what it wrote last.
    fn obituary(&mut self) -> String;
}

/// A stream of frames.
pub(super) struct StreamPort {
    socket: UnixStream,
    state: Mutex<State>,
}

struct State {
    peer: Box<dyn Peer>,
    /// The length of the next frame, as far as it was read.
    length: [u8; LENGTH],
    length_read: usize,
    /// Bytes of that frame which lie in the room already.
    read: usize,
    /// Bytes left of a frame that is dropped.
    skip: usize,
    /// What is left of a frame that was written in part.
    unwritten: Vec<u8>,
    gone: bool,
}

impl StreamPort {
    /// Frames over `socket`.
    pub(super) fn new(socket: UnixStream, peer: Box<dyn Peer>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let state =
            State { peer, length: [0; LENGTH], length_read: 0, read: 0, skip: 0, unwritten: Vec::new(), gone: false };
        Ok(Self { socket, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters of a stream: nothing here panics between two of them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for StreamPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Port for StreamPort {
    /// A stream carries frames as they are on the wire, so there is nothing to be set. But a driver that starts has no
    /// memory of the one before: the rest of a frame that began in that one's buffers is dropped.
    fn set_offloads(&self, _offloads: Offloads) -> io::Result<()> {
        let mut state = self.lock();
        if state.read > 0 {
            state.skip = state.frame().saturating_sub(state.read);
            (state.read, state.length_read) = (0, 0);
        }
        Ok(())
    }

    /// There is one queue pair.
    fn set_attached(&self, _attached: bool) -> io::Result<()> {
        Ok(())
    }

    fn receive(&self, room: &mut Buffers) -> Received {
        let mut state = self.lock();
        if state.gone {
            return Received::Nothing;
        }
        match state.receive(&self.socket, room) {
            Ok(received) => received,
            Err(End::NotNow) => Received::Nothing,
            Err(End::Gone(why)) => {
                state.end(&why);
                Received::Nothing
            }
        }
    }

    fn send(&self, frame: &mut Buffers) -> bool {
        let mut state = self.lock();
        state.flush(&self.socket);
        if !state.unwritten.is_empty() {
            return false;
        }
        let len = frame.len().saturating_sub(HEADER);
        if state.gone || !(MIN_FRAME..=MAX_FRAME).contains(&len) {
            return true;
        }
        let head = (len as u32).to_be_bytes();
        loop {
            match frame.write_behind(self.socket.as_fd(), &head, HEADER) {
                Ok(written) => {
                    if written < LENGTH + len {
                        state.keep(&head, frame, written);
                    }
                    return true;
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return false,
                    // Reading finds out, too, and says so.
                    _ => return true,
                },
            }
        }
    }

    fn flush(&self) {
        self.lock().flush(&self.socket);
    }

    fn is_gone(&self) -> bool {
        self.lock().gone
    }
}

/// Why there is no frame.
enum End {
    NotNow,
    Gone(String),
}

impl State {
    /// The length of the next frame, once all of it was read.
    fn frame(&self) -> usize {
        u32::from_be_bytes(self.length) as usize
    }

    fn receive(&mut self, socket: &UnixStream, room: &mut Buffers) -> Result<Received, End> {
        loop {
            if self.skip > 0 {
                let mut bytes = [0; 4096];
                let skipped = reading(|| {
                    let part = bytes.get_mut(..self.skip.min(4096)).unwrap_or_default();
                    (&mut &*socket).read(part)
                })?;
                self.skip -= skipped.min(self.skip);
                continue;
            }
            if self.length_read < LENGTH {
                let (stream, from) = (&mut &*socket, self.length_read);
                self.length_read += reading(|| stream.read(self.length.get_mut(from..).unwrap_or_default()))?;
                continue;
            }
            let len = self.frame();
            if len > MAX_FRAME {
                return Err(End::Gone(format!("a frame of {len} bytes")));
            }
            if HEADER + len > room.len() || len < MIN_FRAME {
                (self.skip, self.length_read) = (len, 0);
                return Ok(Received::TooLong);
            }
            let (from, left) = (HEADER + self.read, len - self.read);
            let mut next = [0; LENGTH];
            let got = reading(|| room.read_part(socket.as_fd(), from, left, &mut next))?;
            if got < left {
                self.read += got;
                continue;
            }
            (self.length, self.length_read, self.read) = (next, got - left, 0);
            // Nothing left to be computed, nothing to be cut.
            return match room.copy_from(0, &[0; HEADER]) {
                Ok(()) => Ok(Received::Frame(HEADER + len)),
                Err(short) => Err(End::Gone(short.to_string())),
            };
        }
    }

    /// Keeps what was not written of a frame behind its length.
    fn keep(&mut self, head: &[u8; LENGTH], frame: &Buffers, written: usize) {
        let mut bytes = vec![0; frame.len() - HEADER + LENGTH];
        let (front, rest) = bytes.split_at_mut(LENGTH);
        front.copy_from_slice(head);
        // Offsets of the frame itself.
        if frame.copy_to(HEADER, rest).is_ok() {
            bytes.drain(..written.min(bytes.len()));
            self.unwritten = bytes;
        }
    }

    fn flush(&mut self, socket: &UnixStream) {
        while !self.unwritten.is_empty() {
            match (&mut &*socket).write(&self.unwritten) {
                Ok(written) => drop(self.unwritten.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.unwritten.clear(),
            }
        }
    }

    fn end(&mut self, why: &str) {
        self.gone = true;
        let peer = self.peer.obituary();
        say(&format!("{peer} ({why}): the guest's network link is down from here on"));
    }
}

fn reading(mut call: impl FnMut() -> io::Result<usize>) -> Result<usize, End> {
    loop {
        match call() {
            Ok(0) => return Err(End::Gone("end of its stream".to_owned())),
            Ok(got) => return Ok(got),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => return Err(End::NotNow),
                _ => return Err(End::Gone(error.to_string())),
            },
        }
    }
}

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
