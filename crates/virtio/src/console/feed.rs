//! Input for a console that is not VirtIO: the bytes of a file, handed to a function as they come.

use std::io;
use std::os::fd::OwnedFd;

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::stream::{Stream, Transfer};
use crate::event_loop::{Fault, Polling, Source, Worker};

/// What is done with bytes that came.
type Take = Box<dyn FnMut(&[u8]) + Send>;

/// Reads a file for as long as it lasts.
pub struct Feed {
    file: Stream,
    /// Readable from the beginning: a regular file has no readiness of its own to begin with.
    begin: EventFd,
    take: Take,
}

/// Bytes that are read at once.
const AT_ONCE: usize = 256;
/// Reads in one turn on the loop.
const TURN: usize = 64;

impl Feed {
    /// Hands what `file` brings to `take`.
    pub fn open(file: OwnedFd, take: impl FnMut(&[u8]) + Send + 'static) -> io::Result<Self> {
        let begin = EventFd::new(EFD_NONBLOCK)?;
        begin.write(1)?;
        Ok(Self { file: Stream::input(file)?, begin, take: Box::new(take) })
    }

    fn serve(&mut self) -> Polling {
        let mut bytes = [0; AT_ONCE];
        for _ in 0..TURN {
            match self.file.read(&mut bytes) {
                Transfer::Moved(count) => (self.take)(bytes.get(..count).unwrap_or_default()),
                Transfer::NotNow | Transfer::Over => return Polling::Sleep,
            }
        }
        Polling::Again
    }
}

impl Worker for Feed {
    fn sources(&self) -> Vec<Source> {
        [Source::readable(&self.begin)].into_iter().chain(self.file.source()).collect()
    }

    fn ready(&mut self, _source: usize) -> Result<Polling, Fault> {
        Ok(self.serve())
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        Ok(self.serve())
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feed({:?})", self.file)
    }
}
