//! Standard input, on its way to a command: as much of it as the command's window has room for.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use illico_protocol::{Frame, MAX_DATA, StdinWindow};
use rustix::event::{PollFd, PollFlags, poll};

use super::Outbox;

/// What a command reads.
#[derive(Debug)]
pub struct Input(File);

/// How much of it may be under way. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Window(Arc<(Mutex<StdinWindow>, Condvar)>);

impl Input {
    /// This file, pipe or terminal.
    pub fn new(file: OwnedFd) -> Self {
        Self(file.into())
    }

    /// Sends it to its end. What cannot be read counts as the end: the command cannot be told more.
    pub(super) fn send(mut self, outbox: &Outbox, window: &Window) {
        let mut bytes = vec![0; MAX_DATA];
        loop {
            let room = window.wait().min(MAX_DATA);
            match self.0.read(&mut bytes[..room]) {
                Ok(0) => break,
                Ok(count) => {
                    window.sent(count);
                    if outbox.send(&Frame::Stdin(&bytes[..count])).is_err() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Somebody else made the file so; it must not be changed, since they share it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None);
                }
                Err(_) => break,
            }
        }
        let _ = outbox.send(&Frame::StdinEnd);
    }
}

impl Window {
    /// Waits for room, and says how much there is.
    fn wait(&self) -> usize {
        let (window, changed) = &*self.0;
        let guard = window.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = changed.wait_while(guard, |window| window.room() == 0).unwrap_or_else(PoisonError::into_inner);
        guard.room()
    }

    fn sent(&self, bytes: usize) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).sent(bytes);
    }

    /// The command took so much. `false` if there was not so much under way.
    pub(super) fn taken(&self, bytes: u32) -> bool {
        let (window, changed) = &*self.0;
        let fits = window.lock().unwrap_or_else(PoisonError::into_inner).taken(bytes);
        changed.notify_all();
        fits
    }
}
