//! A machine, seen by a process that does not run it.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::folder::{ENDED, LOCK, VM};
use super::{Ended, Name, Record, Verb, VmsError, host};

/// A machine.
#[derive(Debug)]
pub struct Vm {
    /// Its name.
    pub name: Name,
    /// Its folder.
    pub path: PathBuf,
    /// `vm.json`. It is missing only if another program changed the folder.
    pub record: Option<Record>,
    /// Opened when the machine was found, so that its end can be read from it even if the folder goes meanwhile.
    lock: Option<File>,
}

/// What a machine does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It ended, and said how.
    Ended(Ended),
    /// The process that ran it is gone and said nothing: it was killed.
    Killed,
}

/// The process that runs a machine, which stays this one even if its number is given to another.
#[derive(Debug)]
pub struct Monitor(OwnedFd);

impl Vm {
    /// Opens a folder; `None` if it is not there.
    pub(super) fn look(name: &Name, path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir)?;
        let record = fs::read(path.join(VM)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let lock = File::open(path.join(LOCK)).ok();
        if lock.is_none() && !path.exists() {
            // It went meanwhile.
            return None;
        }
        Some(Self { name: name.clone(), path: path.to_owned(), record, lock })
    }

    /// Whether illico's own PID 1 is in it.
    pub fn has_agent(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.asked.verb == Verb::Run)
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether a process runs it.
    pub fn is_alive(&self) -> bool {
        let Some(lock) = &self.lock else { return false };
        let refused = flock(lock, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK);
        if !refused {
            let _ = flock(lock, FlockOperation::Unlock);
        }
        refused
    }

    /// What it does.
    pub fn state(&self) -> State {
        if self.is_alive() {
            return State::Running;
        }
        let ended = fs::read(self.path.join(ENDED)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        ended.map_or(State::Killed, State::Ended)
    }

    /// The process that runs it; `None` if none does.
    pub fn monitor(&self) -> Result<Option<Monitor>, VmsError> {
        let Some(pid) = self.record.as_ref().and_then(|record| Pid::from_raw(record.pid)) else { return Ok(None) };
        let monitor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(monitor) => monitor,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(host("reach the process of", &self.path)(error.into())),
        };
        // The process had this number before the machine had its folder, and has it while it holds the lock:
        // if it still does, it is the one that was opened.
        Ok(self.is_alive().then_some(Monitor(monitor)))
    }

    /// Waits for its end.
    pub fn wait(&self) -> Result<State, VmsError> {
        let Some(mut lock) = self.lock.as_ref() else { return Ok(self.state()) };
        rustix::io::retry_on_intr(|| flock(lock, FlockOperation::LockShared))
            .map_err(|error| host("wait for", &self.path)(error.into()))?;
        let _ = flock(lock, FlockOperation::Unlock);
        // The end is in the lock file as well: the folder may have gone with its machine, or right after it.
        let mut text = Vec::new();
        let read = lock.rewind().and_then(|()| lock.read_to_end(&mut text));
        read.map_err(host("read the lock of", &self.path))?;
        Ok(serde_json::from_slice(&text).map_or_else(|_| self.state(), State::Ended))
    }

    /// That its name is taken.
    pub(super) fn in_use(self) -> VmsError {
        let (state, force) = if self.is_alive() { ("runs", " -f") } else { ("has ended", "") };
        VmsError::InUse { name: self.name, state, force }
    }
}

impl Monitor {
    /// Sends it a signal. `false` if it has ended.
    pub fn signal(&self, signal: Signal) -> Result<bool, Errno> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits for its end, so long at most. `false` if it still runs.
    pub fn wait(&self, longest: Duration) -> Result<bool, Errno> {
        let timeout = Timespec { tv_sec: longest.as_secs() as i64, tv_nsec: longest.subsec_nanos().into() };
        let mut ends = [PollFd::new(&self.0, PollFlags::IN)];
        // Interrupted by a signal that does not end this process, it waits again: that is rare, and harmless.
        Ok(rustix::io::retry_on_intr(|| poll(&mut ends, Some(&timeout)))? > 0)
    }
}
