//! Frames from a blocking stream.

use std::io::{self, Read};

use crate::{Decoder, Frame};

/// As much as is asked of the stream at once.
const STEP: usize = 64 << 10;

/// Reads frames.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    decoder: Decoder,
    step: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub fn new(from: R) -> Self {
        Self { from, decoder: Decoder::new(), step: vec![0; STEP] }
    }

    /// Waits for the next frame. `None` when the stream ended after a whole one; that before [`Frame::End`] means
    /// that the other end is gone. What breaks the protocol is an `InvalidData` with a [`crate::ProtocolError`] in it.
    pub fn read(&mut self) -> io::Result<Option<Frame<'_>>> {
        while !self.decoder.is_ready() {
            match self.from.read(&mut self.step) {
                Ok(0) if self.decoder.is_between_frames() => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.decoder.feed(self.step.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.decoder.next_frame().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    pub fn get_ref(&self) -> &R {
        &self.from
    }
}

#[cfg(test)]
#[path = "reader_test.rs"]
mod tests;
