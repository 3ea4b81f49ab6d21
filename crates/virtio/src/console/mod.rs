//! The console device (VirtIO 1.3 § 5.3): one port, its input and its output on files of the host.
//!
//! - `input.rs`: bytes of a file into the buffers that the driver posted, one read each;
//! - `output.rs`: the driver's buffers to a file, in place, acknowledged once they are written;
//! - `size.rs`: the size of the window, where there is a window, in the configuration space;
//! - here: emergency writes, for a guest that cannot use its queues.
//!
//! No multiport. [`Spool`] and [`Feed`] are the two ends of a console that is not VirtIO. A terminal's escape keys are not known here: see [`Keyboard`], which sits in front.

mod escape;
mod feed;
mod input;
mod keyboard;
mod output;
mod size;
mod spool;
mod stream;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

pub use escape::{ESCAPE, Escape, LEAVE};
pub use feed::Feed;
pub use keyboard::Keyboard;
pub use size::{Resizer, Size};
pub use spool::Spool;

use crate::device::{Activation, Device};
use crate::event_loop::{Fault, Worker};
use crate::spec::Kind;
use input::Receiver;
use output::Transmitter;
use size::Sizer;
use stream::Stream;

/// Feature bits, § 5.3.3.
const F_SIZE: u64 = 1 << 0;
const F_EMERG_WRITE: u64 = 1 << 2;

/// receiveq(port0). Linux fills it with pages, a kick each if it is let, so it is short.
const RECEIVE_SIZE: u16 = 16;
/// transmitq(port0). Also the longest chain: Linux splices the 16 pages of a pipe at once.
const TRANSMIT_SIZE: u16 = 64;

/// `struct virtio_console_config`, § 5.3.4: cols, rows, max_nr_ports, `emerg_wr`.
const CONFIG_LEN: usize = 12;
const EMERG_WR: usize = 8;

/// The device cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("console: preparing its {end}")]
pub struct ConsoleError {
    end: &'static str,
    #[source]
    source: io::Error,
}

/// What this device is.
const KIND: Kind = Kind { id: 3, name: "console", pci_class: [0x07, 0x80, 0x00] };

/// A console device at rest.
#[derive(Debug)]
pub struct Console {
    input: Arc<Stream>,
    output: Arc<Stream>,
    resizer: Option<Resizer>,
}

impl Console {
    /// A console on two files: terminal, pipe, socket, regular file or `/dev/null`. With a `size` the
    /// guest is told how large the window is.
    pub fn open(input: OwnedFd, output: OwnedFd, size: Option<Size>) -> Result<Self, ConsoleError> {
        let error = |end| move |source| ConsoleError { end, source };
        Ok(Self {
            input: Arc::new(Stream::input(input).map_err(error("input"))?),
            output: Arc::new(Stream::output(output).map_err(error("output"))?),
            resizer: size.map(Resizer::new).transpose().map_err(error("window size"))?,
        })
    }

    /// A console without a terminal: what the guest writes is kept in a file, the first `most` bytes of it, or a few more.
    /// A guest that prints for ever does not fill the host's disk.
    pub fn kept(output: OwnedFd, most: u64) -> Result<Self, ConsoleError> {
        let error = |end| move |source| ConsoleError { end, source };
        let nothing = File::open("/dev/null").map_err(error("input"))?;
        Ok(Self {
            input: Arc::new(Stream::input(nothing.into()).map_err(error("input"))?),
            output: Arc::new(Stream::limited(output, most).map_err(error("output"))?),
            resizer: None,
        })
    }

    /// What to tell of a new window size; `None` where there is no window.
    pub fn resizer(&self) -> Option<Resizer> {
        self.resizer.clone()
    }
}

impl Device for Console {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        "console"
    }

    fn features(&self) -> u64 {
        F_EMERG_WRITE | if self.resizer.is_some() { F_SIZE } else { 0 }
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![RECEIVE_SIZE, TRANSMIT_SIZE]
    }

    fn config(&self) -> Vec<u8> {
        let mut config = Vec::with_capacity(CONFIG_LEN);
        config.extend(self.resizer.as_ref().map_or([0; 4], |resizer| resizer.size().to_config()));
        config.resize(CONFIG_LEN, 0);
        config
    }

    /// § 5.3.4: a character to `emerg_wr`, which works before the driver has set up anything.
    fn write_config(&mut self, offset: usize, bytes: &[u8]) {
        if let (EMERG_WR, Some(&character)) = (offset, bytes.first()) {
            self.output.write_emergency(character);
        }
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        let (receive, transmit) = (activation.take_queue(0)?, activation.take_queue(1)?);
        let mut workers: Vec<Box<dyn Worker>> = vec![
            Box::new(Receiver::new(receive, Arc::clone(&self.input))),
            Box::new(Transmitter::new(transmit, Arc::clone(&self.output))),
        ];
        if activation.features & F_SIZE != 0
            && let Some(resizer) = self.resizer()
        {
            workers.push(Box::new(Sizer::new(resizer, activation.config)));
        }
        Ok(workers)
    }
}

#[cfg(test)]
#[path = "console_test.rs"]
mod tests;

#[cfg(test)]
mod loop_test;
