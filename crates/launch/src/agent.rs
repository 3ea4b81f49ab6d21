//! The agent in a machine, reached through the machine's vsock, which is a unix socket on the host.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use illico_protocol::{Ending, Exec, Frame, HELLO, PORT, ProtocolError, Reader, Request};

use crate::first::Streams;
use crate::session::{self, Broken};
use crate::vms::{Name, State, Vm};

/// The name of the vsock socket in a machine's folder of sockets.
pub const SOCKET: &str = "vsock";

/// `OK`, a port and a newline.
const LONGEST_ANSWER: usize = 32;

/// Why the agent cannot be reached or did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The machine has ended.
    #[error("{0} does not run; `illico ps --all` tells how it ended")]
    NotRunning(String),
    /// The machine is a kernel alone.
    #[error("{0} was made by `illico boot`: there is no agent of illico in it")]
    NoAgent(String),
    /// Its agent refuses connections.
    #[error("cannot reach the agent in {name}")]
    Connect {
        /// The machine.
        name: String,
        /// What the host said.
        #[source]
        source: io::Error,
    },
    /// What the agent sent is no frame.
    #[error("the agent does not keep to the protocol")]
    Protocol(#[from] ProtocolError),
    /// The connection failed.
    #[error("the connection to the agent broke")]
    Stream(#[source] io::Error),
    /// The agent did not do it, and said why.
    #[error("{0}")]
    Refused(String),
    /// The command's streams failed.
    #[error(transparent)]
    Session(#[from] Broken),
}

/// How long connecting is tried: an agent that serves many connections refuses more for a while.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// The agent of a machine that this process runs.
#[derive(Debug, Clone)]
pub struct Agent {
    name: Name,
    socket: PathBuf,
}

impl Agent {
    pub(crate) fn new(name: Name, socket: PathBuf) -> Self {
        Self { name, socket }
    }

    /// Connects to it.
    pub fn connect(&self) -> Result<UnixStream, AgentError> {
        retry(&self.name, &self.socket, || true)
    }

    /// Runs a command with these streams, and waits for its end.
    pub fn exec(&self, command: Exec, streams: Streams) -> Result<Ending, AgentError> {
        let stream = self.connect()?;
        let (outbox, waiting) = session::outbox();
        outbox.send(&Frame::Request(Cow::Owned(Request::Exec(command))))?;
        Ok(session::carry(|| Ok(stream), waiting, &outbox, streams.input, streams.sinks, || ())?)
    }
}

/// Connects to the agent of a machine of any process. Nothing was sent yet. While the machine runs, an agent that refuses
/// is tried again.
pub fn connect(vm: &Vm) -> Result<UnixStream, AgentError> {
    let running = || vm.state() == State::Running;
    if !running() {
        return Err(AgentError::NotRunning(vm.name.to_string()));
    }
    let record = vm.record.as_ref().filter(|_| vm.has_agent());
    let record = record.ok_or_else(|| AgentError::NoAgent(vm.name.to_string()))?;
    retry(&vm.name, &record.sockets.join(SOCKET), running)
}

fn retry(name: &Name, socket: &Path, running: impl Fn() -> bool) -> Result<UnixStream, AgentError> {
    let until = Instant::now() + PATIENCE;
    let (mut pause, longest) = PAUSES;
    loop {
        match greet(socket) {
            Ok(stream) => return Ok(stream),
            Err(_) if !running() => return Err(AgentError::NotRunning(name.to_string())),
            Err(source) if Instant::now() >= until => {
                return Err(AgentError::Connect { name: name.to_string(), source });
            }
            Err(_) => {}
        }
        // Processes that were refused together must not come back together.
        let spread = u32::from(std::process::id() as u16) % 256;
        thread::sleep(pause + pause * spread / 256);
        pause = (pause * 2).min(longest);
    }
}

/// Connects through the machine's vsock to the agent's port.
fn greet(socket: &Path) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    writeln!(stream, "CONNECT {PORT}")?;
    let mut answer = Vec::new();
    // A byte at a time: what follows the line is the agent's.
    let mut byte = [0];
    while answer.len() < LONGEST_ANSWER && stream.read(&mut byte)? == 1 {
        match byte {
            [b'\n'] if answer.starts_with(b"OK ") => return Ok(stream),
            [byte] => answer.push(byte),
        }
    }
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the guest refuses it; it may still be starting"))
}

/// Asks for something that comes with no streams, and waits until it is done.
pub fn ask(vm: &Vm, request: &Request) -> Result<(), AgentError> {
    let mut stream = connect(vm)?;
    begin(&mut stream, request)?;
    finish(Reader::new(stream))
}

/// Sends the first frame of a connection: what it is for.
pub fn begin(stream: &mut UnixStream, request: &Request) -> Result<(), AgentError> {
    let mut bytes = HELLO.to_vec();
    Frame::Request(Cow::Borrowed(request)).encode(&mut bytes)?;
    stream.write_all(&bytes).map_err(AgentError::Stream)
}

/// Waits for the agent's last frame.
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
