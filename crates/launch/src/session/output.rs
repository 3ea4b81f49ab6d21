//! A command's output, on its way to whoever reads it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use illico_protocol::{Frame, Stream};
use rustix::event::{PollFd, PollFlags, poll};

use super::{Broken, Outbox};
use crate::vms::Log;

/// Where a stream is written to.
#[derive(Debug)]
pub struct Sink {
    /// `None` once nobody reads it.
    file: Option<File>,
}

/// Where both streams are written to.
#[derive(Debug)]
pub enum Sinks {
    /// Each where somebody reads it.
    Apart {
        /// Standard output, or what is written to the command's terminal.
        stdout: Sink,
        /// Standard error.
        stderr: Sink,
    },
    /// Both to a log, for whoever asks later.
    Kept(Log),
}

impl Sink {
    /// This file, pipe or terminal.
    pub fn new(file: OwnedFd) -> Self {
        Self { file: Some(file.into()) }
    }
}

impl Sinks {
    /// Both are dropped.
    pub fn none() -> Self {
        Self::Apart { stdout: Sink { file: None }, stderr: Sink { file: None } }
    }

    /// Writes what came. Where nobody reads it any more, the command is told, as a pipe would tell it.
    pub(super) fn write(&mut self, stream: Stream, data: &[u8], outbox: &Outbox) -> Result<(), Broken> {
        let sink = match (self, stream) {
            (Self::Kept(log), _) => {
                log.keep(data);
                return Ok(());
            }
            (Self::Apart { stdout, .. }, Stream::Stdout) => stdout,
            (Self::Apart { stderr, .. }, Stream::Stderr) => stderr,
        };
        let Some(file) = &mut sink.file else { return Ok(()) };
        match write_all(file, data) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                sink.file = None;
                let _ = outbox.send(&Frame::Closed(stream));
                Ok(())
            }
            Err(error) => Err(Broken::Output(error)),
        }
    }
}

/// As `write_all`, also where somebody else made the file so that it does not wait.
fn write_all(file: &mut File, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match file.write(data) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => data = &data[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&*file, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
