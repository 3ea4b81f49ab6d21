//! The first command of a machine: its agent connects to a socket that is there before the guest runs.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use illico_machine::threads::{self, Role};
use illico_protocol::{Ending, PORT};

use super::fate::Fate;
use crate::agent;
use crate::commands::Failure;
use crate::session::{self, Broken, Input, Outbox, Sinks};

/// A socket that is listened on.
#[derive(Debug)]
pub struct First {
    path: PathBuf,
    listener: UnixListener,
}

/// What the command reads and where its output goes.
#[derive(Debug)]
pub struct Streams {
    pub input: Option<Input>,
    pub sinks: Sinks,
}

/// A command that will begin.
#[derive(Debug)]
pub struct Serving {
    path: PathBuf,
    outbox: Outbox,
    stream: Arc<OnceLock<UnixStream>>,
    session: JoinHandle<Result<Ending, Broken>>,
}

impl First {
    /// Listens in a machine's folder of sockets, where the agent's connection goes.
    pub fn listen(sockets: &Path) -> Result<Self, Failure> {
        let path = sockets.join(format!("{}_{PORT}", agent::SOCKET));
        let listener =
            UnixListener::bind(&path).map_err(|error| format!("cannot listen at {}: {error}", path.display()))?;
        Ok(Self { path, listener })
    }

    /// Carries the command's streams once it begins, and ends the machine when the command has ended.
    pub fn serve(self, streams: Streams, fate: &Fate, started: impl FnOnce() + Send + 'static) -> io::Result<Serving> {
        let Self { path, listener } = self;
        let (outbox, waiting) = session::outbox();
        let (ours, fate) = (outbox.clone(), fate.clone());
        let stream = Arc::new(OnceLock::new());
        let seen = Arc::clone(&stream);
        let body = move || {
            let connected = listener.accept().and_then(|(stream, _)| Ok((stream.try_clone()?, stream)));
            let (kept, stream) = connected.map_err(Broken::Stream)?;
            let _ = seen.set(kept);
            let begun = || {
                fate.begin();
                started();
            };
            let ending = session::carry(stream, waiting, &ours, streams.input, streams.sinks, begun);
            // The agent has written back what is to be kept before it said so: nothing is lost by not waiting until the
            // guest has powered off.
            fate.end();
            ending
        };
        let session = threads::spawn(Role::Session, "first command", body)?;
        Ok(Serving { path, outbox, stream, session })
    }
}

impl Serving {
    /// What is to be sent to the command.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// How it ended, once the machine has. If that was ended by force, what was not read yet is not waited for.
    pub fn end(self, by_force: bool) -> Result<Ending, Broken> {
        if by_force && !self.session.is_finished() {
            return Err(Broken::Gone);
        }
        // The guest says no more. A session that still waits for its first word hears this connection, behind any
        // other, and that nothing comes of it.
        if let Some(stream) = self.stream.get() {
            let _ = stream.shutdown(std::net::Shutdown::Read);
        } else {
            let _ = UnixStream::connect(&self.path);
        }
        self.session.join().unwrap_or(Err(Broken::Gone))
    }
}
