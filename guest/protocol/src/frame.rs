//! Frames: a kind, a length and so many bytes.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0 | kind, one of the constants below |
//! | 1..5 | length of what follows, little endian |
//! | 5.. | data as it is; JSON for `Request` and `End`; numbers little endian |

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ending::MAX_REASON;
use crate::{Ending, ProtocolError, Request};

/// The most bytes of data in one frame.
pub const MAX_DATA: usize = 64 << 10;

/// The most bytes of a request: an environment and a command line may be long.
pub const MAX_REQUEST: usize = 1 << 20;

pub(crate) const HEADER: usize = 5;

const REQUEST: u8 = 1;
const STDIN: u8 = 2;
const STDIN_END: u8 = 3;
const STDOUT: u8 = 4;
const STDERR: u8 = 5;
const RESIZE: u8 = 6;
const SIGNAL: u8 = 7;
const CLOSED: u8 = 8;
const TAKEN: u8 = 9;
const DATA: u8 = 10;
const DATA_END: u8 = 11;
const END: u8 = 12;
const WARNING: u8 = 13;
const STARTED: u8 = 14;

/// One of a command's output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
}

/// What one side tells the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Host: what this connection is for.
    Request(Cow<'a, Request>),
    /// Host: input of the command.
    Stdin(&'a [u8]),
    /// Host: there is no more input.
    StdinEnd,
    /// Agent: the command runs. Said once, before any of its output, and not at all where it cannot be run.
    Started,
    /// Agent: output of the command, or of its terminal.
    Stdout(&'a [u8]),
    /// Agent: what the command wrote to its standard error. A terminal has none.
    Stderr(&'a [u8]),
    /// Host: the terminal has a new size.
    Resize(WindowSize),
    /// Host: send this signal to the command and its process group.
    Signal(u8),
    /// Host: this output stream has lost its reader; the command gets `EPIPE` from now on.
    Closed(Stream),
    /// Agent: so many more bytes of input went to the command.
    Taken(u32),
    /// A part of a tar archive, from the side that has the files.
    Data(&'a [u8]),
    /// The archive is complete.
    DataEnd,
    /// Agent: one line for a person about a request that goes on.
    Warning(Cow<'a, str>),
    /// Agent: this is how it went. The last frame.
    End(Ending),
}

impl<'a> Frame<'a> {
    /// Appends the frame to `out`. Data longer than [`MAX_DATA`] becomes several frames, no data none.
    ///
    /// A request that is longer than [`MAX_REQUEST`] is refused.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        match self {
            Self::Request(request) => json(REQUEST, request.as_ref(), out)?,
            Self::Stdin(data) => in_parts(STDIN, data, out),
            Self::StdinEnd => put(STDIN_END, &[], out),
            Self::Started => put(STARTED, &[], out),
            Self::Stdout(data) => in_parts(STDOUT, data, out),
            Self::Stderr(data) => in_parts(STDERR, data, out),
            Self::Resize(size) => {
                let ([a, b], [c, d]) = (size.rows.to_le_bytes(), size.columns.to_le_bytes());
                put(RESIZE, &[a, b, c, d], out);
            }
            Self::Signal(number) => put(SIGNAL, &[*number], out),
            Self::Closed(Stream::Stdout) => put(CLOSED, &[1], out),
            Self::Closed(Stream::Stderr) => put(CLOSED, &[2], out),
            Self::Taken(bytes) => put(TAKEN, &bytes.to_le_bytes(), out),
            Self::Data(data) => in_parts(DATA, data, out),
            Self::DataEnd => put(DATA_END, &[], out),
            Self::Warning(text) => {
                let (line, _) = text.split_at(text.floor_char_boundary(MAX_REASON));
                put(WARNING, line.as_bytes(), out);
            }
            Self::End(ending) => json(END, &ending.bounded(), out)?,
        }
        Ok(())
    }

    /// The frame of `kind` whose bytes are `body`.
    pub(crate) fn parse(kind: u8, body: &'a [u8]) -> Result<Self, ProtocolError> {
        let size = || ProtocolError::Size { kind, length: body.len() };
        Ok(match (kind, body) {
            (REQUEST, _) => Self::Request(Cow::Owned(from_json(kind, body)?)),
            (STDIN, data) => Self::Stdin(data),
            (STDIN_END, []) => Self::StdinEnd,
            (STDOUT, data) => Self::Stdout(data),
            (STDERR, data) => Self::Stderr(data),
            (RESIZE, &[a, b, c, d]) => {
                Self::Resize(WindowSize { rows: u16::from_le_bytes([a, b]), columns: u16::from_le_bytes([c, d]) })
            }
            (SIGNAL, &[number @ 1..=64]) => Self::Signal(number),
            (CLOSED, [1]) => Self::Closed(Stream::Stdout),
            (CLOSED, [2]) => Self::Closed(Stream::Stderr),
            (SIGNAL | CLOSED, &[value]) => return Err(ProtocolError::Value { kind, value }),
            (TAKEN, &[a, b, c, d]) => Self::Taken(u32::from_le_bytes([a, b, c, d])),
            (DATA, data) => Self::Data(data),
            (DATA_END, []) => Self::DataEnd,
            (WARNING, text) => Self::Warning(String::from_utf8_lossy(text)),
            (STARTED, []) => Self::Started,
            (END, _) => Self::End(from_json(kind, body)?),
            _ => return Err(size()),
        })
    }
}

/// The most bytes that a frame of this kind has after its header.
pub(crate) fn most(kind: u8) -> Result<u32, ProtocolError> {
    match kind {
        REQUEST => Ok(MAX_REQUEST as u32),
        STDIN | STDOUT | STDERR | DATA | END => Ok(MAX_DATA as u32),
        STDIN_END | DATA_END | STARTED => Ok(0),
        WARNING => Ok(MAX_REASON as u32),
        RESIZE | TAKEN => Ok(4),
        SIGNAL | CLOSED => Ok(1),
        _ => Err(ProtocolError::Kind(kind)),
    }
}

fn put(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
}

fn in_parts(kind: u8, data: &[u8], out: &mut Vec<u8>) {
    for part in data.chunks(MAX_DATA) {
        put(kind, part, out);
    }
}

fn json<T: Serialize>(kind: u8, value: &T, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let unreadable = |error: serde_json::Error| ProtocolError::Json { kind, reason: error.to_string() };
    let body = serde_json::to_vec(value).map_err(unreadable)?;
    let most = most(kind)?;
    match u32::try_from(body.len()) {
        Ok(length) if length <= most => put(kind, &body, out),
        length => return Err(ProtocolError::TooLong { kind, length: length.unwrap_or(u32::MAX), most }),
    }
    Ok(())
}

fn from_json<T: DeserializeOwned>(kind: u8, body: &[u8]) -> Result<T, ProtocolError> {
    serde_json::from_slice(body).map_err(|error| ProtocolError::Json { kind, reason: error.to_string() })
}

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;
