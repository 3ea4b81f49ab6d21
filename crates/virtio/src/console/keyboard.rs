//! A terminal in front of a console: takes the escape keys out and hands the rest on.
//!
//! It runs from the start of the machine to its end, whatever the guest does with its device, so that
//! Ctrl-A x leaves a guest that never got as far as a console, too. It is no part of the device: the device
//! reads from a socket, as it would from any file.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use vmm_sys_util::epoll::EventSet;

use super::escape::{Escape, Wish};
use super::stream::{Stream, Transfer};
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::interrupt::Interrupt;

/// Reads a terminal for the guest and for the monitor.
#[derive(Debug)]
pub struct Keyboard {
    terminal: Stream,
    /// A socket and not a pipe: its end can be told without closing what the loop watches.
    guest: UnixStream,
    escape: Escape,
    /// Raised by Ctrl-A x.
    leave: Interrupt,
    /// Read and filtered, and not yet handed on. No longer than one read.
    held: VecDeque<u8>,
}

/// Keys that are read at once.
const AT_ONCE: usize = 256;
/// Reads in one turn on the loop.
const TURN: usize = 64;

impl Keyboard {
    /// Reads `terminal`. The file that comes back is what the guest shall read.
    pub fn open(terminal: OwnedFd) -> io::Result<(Self, OwnedFd)> {
        let (guest, device) = UnixStream::pair()?;
        guest.set_nonblocking(true)?;
        device.set_nonblocking(true)?;
        let (escape, leave, held) = (Escape::default(), Interrupt::none(), VecDeque::new());
        Ok((Self { terminal: Stream::input(terminal)?, guest, escape, leave, held }, device.into()))
    }

    /// What to do when the person wants to leave.
    pub fn on_leave(mut self, leave: Interrupt) -> Self {
        self.leave = leave;
        self
    }

    fn serve(&mut self) -> Polling {
        let mut keys = [0; AT_ONCE];
        for _ in 0..TURN {
            if !self.hand_on() {
                return Polling::Sleep;
            }
            match self.terminal.read(&mut keys) {
                Transfer::Moved(count) => {
                    let held = &mut self.held;
                    if self.escape.filter(keys.get(..count).unwrap_or_default(), |key| held.push_back(key))
                        == Wish::Leave
                    {
                        self.leave.trigger();
                    }
                }
                Transfer::NotNow => return Polling::Sleep,
                Transfer::Over => {
                    // It fails only where the device has gone already.
                    let _ = self.guest.shutdown(Shutdown::Write);
                    return Polling::Sleep;
                }
            }
        }
        Polling::Again
    }

    /// Hands on what is held. `false` where the guest takes no more for now: then nothing more is read
    /// either, and the terminal keeps it.
    fn hand_on(&mut self) -> bool {
        while !self.held.is_empty() {
            match self.guest.write(self.held.as_slices().0) {
                Ok(count) => drop(self.held.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // The device has gone. The monitor still listens.
                Err(_) => self.held.clear(),
            }
        }
        true
    }
}

impl Worker for Keyboard {
    fn sources(&self) -> Vec<Source> {
        let guest = Source { events: EventSet::OUT, ..Source::readable(&self.guest) };
        [guest].into_iter().chain(self.terminal.source()).collect()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        Ok(self.serve())
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        Ok(self.serve())
    }
}

#[cfg(test)]
#[path = "keyboard_test.rs"]
mod tests;
