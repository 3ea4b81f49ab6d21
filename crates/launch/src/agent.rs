//! The agent in a machine, reached from another process: through the machine's vsock, which is a unix socket here.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use illico_protocol::{Ending, Frame, HELLO, PORT, ProtocolError, Reader, Request};

use crate::vms::{State, Vm};

/// The name of the vsock socket in a machine's folder of sockets.
pub const SOCKET: &str = "vsock";

/// `OK`, a port and a newline.
const LONGEST_ANSWER: usize = 32;

/// Why the agent cannot be reached or did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("{0} does not run; `illico ps --all` tells how it ended")]
    NotRunning(String),
    #[error("{0} was made by `illico boot`: there is no agent of illico in it")]
    NoAgent(String),
    #[error("cannot reach the agent in {name}")]
    Connect {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("the agent does not answer in an orderly way")]
    Protocol(#[from] ProtocolError),
    #[error("the connection to the agent broke")]
    Stream(#[source] io::Error),
    #[error("{0}")]
    Refused(String),
}

/// Connects to the agent of a machine. Nothing was said yet.
pub fn connect(vm: &Vm) -> Result<UnixStream, AgentError> {
    let name = || vm.name.to_string();
    if vm.state() != State::Running {
        return Err(AgentError::NotRunning(name()));
    }
    let record = vm.record.as_ref().filter(|_| vm.has_agent());
    let record = record.ok_or_else(|| AgentError::NoAgent(name()))?;
    let greet = || {
        let mut stream = UnixStream::connect(record.sockets.join(SOCKET))?;
        writeln!(stream, "CONNECT {PORT}")?;
        let mut answer = Vec::new();
        // A byte at a time: what comes behind the line is the agent's.
        let mut byte = [0];
        while answer.len() < LONGEST_ANSWER && stream.read(&mut byte)? == 1 {
            match byte {
                [b'\n'] if answer.starts_with(b"OK ") => return Ok(stream),
                [byte] => answer.push(byte),
            }
        }
        Err(io::Error::new(io::ErrorKind::ConnectionRefused, "nobody answers in the guest; it may still be starting"))
    };
    greet().map_err(|source| AgentError::Connect { name: name(), source })
}

/// Asks for something that comes with no streams, and waits until it is done.
pub fn ask(vm: &Vm, request: &Request) -> Result<(), AgentError> {
    let mut stream = connect(vm)?;
    begin(&mut stream, request)?;
    finish(Reader::new(stream))
}

/// Says what the connection is for.
pub fn begin(stream: &mut UnixStream, request: &Request) -> Result<(), AgentError> {
    let mut bytes = HELLO.to_vec();
    Frame::Request(Cow::Borrowed(request)).encode(&mut bytes)?;
    stream.write_all(&bytes).map_err(AgentError::Stream)
}

/// Waits for the agent's last word.
pub fn finish(mut reader: Reader<UnixStream>) -> Result<(), AgentError> {
    match reader.read().map_err(AgentError::Stream)? {
        Some(Frame::End(Ending::Exited(0))) => Ok(()),
        Some(Frame::End(ending)) => Err(AgentError::Refused(why(&ending))),
        Some(frame) => Err(AgentError::Refused(format!("the agent sent {frame:?}"))),
        None => Err(AgentError::Stream(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Why a request failed, in words.
pub fn why(ending: &Ending) -> String {
    ending.reason().map_or_else(|| format!("the agent says {ending:?}"), str::to_owned)
}
