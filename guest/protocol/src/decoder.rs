//! Frames out of a stream that arrives in pieces.

use crate::frame::{HEADER, most};
use crate::{Frame, HELLO, ProtocolError, VERSION};

/// Takes bytes as they come, gives frames as they are complete. The first eight bytes must be [`HELLO`].
///
/// Holds what it was given and has not handed out: at most one unfinished frame, if every complete one is taken before more is given.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// What of `bytes` was handed out already.
    used: usize,
    greeted: bool,
    failed: Option<ProtocolError>,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.forget_used();
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The next frame, if all of it has arrived. An error is final: every later call repeats it.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, ProtocolError> {
        match self.complete() {
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.fail(error)),
            Ok(Some(_)) => {}
        }
        let rest = self.bytes.get(self.used..).unwrap_or_default();
        let Some((&kind, length, after)) = header(rest) else { return Ok(None) };
        let length = length as usize;
        self.used = self.used.saturating_add(HEADER).saturating_add(length);
        let parsed = Frame::parse(kind, after.get(..length).unwrap_or_default());
        if let Err(error) = &parsed {
            self.failed = Some(error.clone());
        }
        parsed.map(Some)
    }

    /// Whether the stream may end here: it has greeted, and no frame is unfinished.
    pub fn is_between_frames(&self) -> bool {
        self.greeted && self.used == self.bytes.len()
    }

    /// Whether `next_frame` has something to say.
    pub(crate) fn is_ready(&mut self) -> bool {
        !matches!(self.complete(), Ok(None))
    }

    /// The length of the frame that is complete. Its header is checked as soon as it is there, and nothing is kept for it before.
    fn complete(&mut self) -> Result<Option<usize>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if !self.greet()? {
            return Ok(None);
        }
        let rest = self.bytes.get(self.used..).unwrap_or_default();
        let Some((&kind, length, after)) = header(rest) else { return Ok(None) };
        let most = most(kind)?;
        if length > most {
            return Err(ProtocolError::TooLong { kind, length, most });
        }
        let length = length as usize;
        Ok((after.len() >= length).then_some(length))
    }

    /// Takes the greeting off the stream; false if it has not arrived yet.
    fn greet(&mut self) -> Result<bool, ProtocolError> {
        if self.greeted {
            return Ok(true);
        }
        let Some(hello) = self.bytes.first_chunk::<8>() else { return Ok(false) };
        if *hello != HELLO {
            let [.., low, high] = *hello;
            let theirs = u16::from_le_bytes([low, high]);
            let known = hello.first_chunk::<6>() == HELLO.first_chunk::<6>() && theirs != VERSION;
            return Err(if known { ProtocolError::Version { theirs } } else { ProtocolError::Stranger(*hello) });
        }
        self.used = hello.len();
        self.greeted = true;
        Ok(true)
    }

    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.failed = Some(error.clone());
        self.bytes = Vec::new();
        self.used = 0;
        error
    }

    fn forget_used(&mut self) {
        if self.used > 0 {
            self.bytes.drain(..self.used.min(self.bytes.len()));
            self.used = 0;
        }
    }
}

/// Kind and length of the frame that begins here, and what follows them.
fn header(bytes: &[u8]) -> Option<(&u8, u32, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    Some((kind, u32::from_le_bytes(*length), rest))
}

#[cfg(test)]
#[path = "decoder_test.rs"]
mod tests;
