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

use super::escape::{Escape, Typed};
use super::stream::{Stream, Transfer};
use crate::complaints::say;
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
    /// Read and filtered, and not yet handed on.
    held: VecDeque<u8>,
    /// Keys were dropped since the guest last took one.
    dropping: bool,
}

/// Keys that wait for a guest that takes none. The terminal is read all the same, since Ctrl-A x must be heard whatever the
/// guest does; what is typed beyond them is dropped, and said once.
const MAX_HELD: usize = 1 << 20;
/// Keys that are read at once.
const AT_ONCE: usize = 256;
/// Reads in one turn on the loop.
const TURN: usize = 64;

impl Keyboard {
    /// Reads `terminal`. The returned file is the guest's input.
    pub fn open(terminal: OwnedFd) -> io::Result<(Self, OwnedFd)> {
        let (guest, device) = UnixStream::pair()?;
        guest.set_nonblocking(true)?;
        device.set_nonblocking(true)?;
        let keyboard = Self {
            terminal: Stream::input(terminal)?,
            guest,
            escape: Escape::default(),
            leave: Interrupt::none(),
            held: VecDeque::new(),
            dropping: false,
        };
        Ok((keyboard, device.into()))
    }

    /// What to do when the person wants to leave.
    pub fn on_leave(mut self, leave: Interrupt) -> Self {
        self.leave = leave;
        self
    }

    fn serve(&mut self) -> Polling {
        let mut keys = [0; AT_ONCE];
        for _ in 0..TURN {
            self.hand_on();
            match self.terminal.read(&mut keys) {
                Transfer::Moved(count) => self.take(keys.get(..count).unwrap_or_default()),
                Transfer::NotNow => return Polling::Sleep,
                Transfer::Over => {
                    if self.held.is_empty() {
                        // It fails only where the device has gone already.
                        let _ = self.guest.shutdown(Shutdown::Write);
                    }
                    return Polling::Sleep;
                }
            }
        }
        Polling::Again
    }

    /// Keeps keys for the guest, and does what they mean to the monitor.
    fn take(&mut self, keys: &[u8]) {
        let (held, mut dropped) = (&mut self.held, false);
        let keep = |key| {
            dropped |= held.len() >= MAX_HELD;
            if held.len() < MAX_HELD {
                held.push_back(key);
            }
        };
        if self.escape.filter(keys, keep) == Typed::Leave {
            self.leave.trigger();
        }
        if dropped && !self.dropping {
            self.dropping = true;
            say("the guest reads no keys: what is typed is dropped until it does; Ctrl-A x leaves");
        }
    }

    /// Hands on what is held, as much as the guest takes for now.
    fn hand_on(&mut self) {
        while !self.held.is_empty() {
            match self.guest.write(self.held.as_slices().0) {
                Ok(count) => {
                    self.held.drain(..count);
                    self.dropping = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The device has gone. The monitor still listens.
                Err(_) => self.held.clear(),
            }
        }
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
