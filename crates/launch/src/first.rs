//! The first command of a machine: its agent connects to a socket that is there before the guest runs.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};

use illico_machine::threads::{self, Role};
use illico_protocol::{Ending, PORT};
use rustix::net::shutdown;

use crate::agent;
use crate::error::{LaunchError, file};
use crate::outcome::Handle;
use crate::session::{self, Broken, Input, Outbox, Sinks, Waiting};

/// The socket that the agent connects to.
#[derive(Debug)]
pub struct First {
    listener: UnixListener,
    outbox: Outbox,
    waiting: Waiting,
}

/// What a command reads, and where its output goes.
#[derive(Debug)]
pub struct Streams {
    /// Its standard input; without one it is empty.
    pub input: Option<Input>,
    /// Its standard output and error.
    pub sinks: Sinks,
}

impl Streams {
    /// No input, and output that is dropped.
    pub fn none() -> Self {
        Self { input: None, sinks: Sinks::none() }
    }
}

/// A command that will begin.
#[derive(Debug)]
pub struct Serving {
    listener: UnixListener,
    stream: Arc<OnceLock<UnixStream>>,
    ends: Receiver<Result<Ending, Broken>>,
}

impl First {
    /// Listens in a machine's folder of sockets, where its vsock device connects to for the agent.
    pub fn listen(sockets: &Path) -> Result<Self, LaunchError> {
        let path = sockets.join(format!("{}_{PORT}", agent::SOCKET));
        let listener = UnixListener::bind(&path).map_err(file("listen at", &path))?;
        let (outbox, waiting) = session::outbox();
        Ok(Self { listener, outbox, waiting })
    }

    /// What is to be sent to the command.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Carries the command's streams once it begins, and ends the machine when the command has ended.
    pub fn serve(
        self,
        streams: Streams,
        handle: &Handle,
        begun: impl FnOnce() + Send + 'static,
    ) -> io::Result<Serving> {
        let Self { listener, outbox, waiting } = self;
        let handle = handle.clone();
        let stream = Arc::new(OnceLock::new());
        let connected = Arc::clone(&stream);
        let (ended, ends) = channel();
        // A session waits for a reader of its output that may never come; a machine that is ended by force does not.
        let by_force = ended.clone();
        handle.on_force(move || drop(by_force.send(Err(Broken::Gone))));
        let shut = listener.try_clone()?;
        let carry = move || {
            let connect = || {
                threads::start_here(Role::Session);
                let accepted = listener.accept().and_then(|(stream, _)| Ok((stream.try_clone()?, stream)));
                let (kept, stream) = accepted.map_err(|error| match error.kind() {
                    // The listener was shut down.
                    io::ErrorKind::InvalidInput => Broken::Gone,
                    _ => Broken::Stream(error),
                })?;
                let _ = connected.set(kept);
                Ok(stream)
            };
            let begins = || {
                handle.begin();
                begun();
            };
            let ending = session::carry(connect, waiting, &outbox, streams.input, streams.sinks, begins);
            // The agent writes back what is to be kept before it reports the end: nothing is lost by not waiting until
            // the guest has powered off.
            handle.end();
            ending
        };
        threads::spawn_without_role("first command", move || drop(ended.send(carry())))?;
        Ok(Serving { listener: shut, stream, ends })
    }
}

impl Serving {
    /// How the command ended, once the machine has. After an end by force, output that was not read yet is given up.
    pub fn end(self) -> Result<Ending, Broken> {
        // The guest sends nothing more, and an agent that has not connected yet never will.
        if let Some(stream) = self.stream.get() {
            let _ = stream.shutdown(Shutdown::Read);
        } else {
            let _ = shutdown(&self.listener, rustix::net::Shutdown::Read);
        }
        match self.ends.recv() {
            // Of an end by force; the command may have ended as well.
            Ok(Err(Broken::Gone)) => self.ends.try_recv().unwrap_or(Err(Broken::Gone)),
            Ok(ending) => ending,
            Err(_) => Err(Broken::Gone),
        }
    }
}
