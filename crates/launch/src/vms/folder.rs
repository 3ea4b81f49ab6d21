//! The folder of a machine, in the hands of the process that runs it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use super::{Ended, Record, Vm, Vms, VmsError, host, places};

pub(super) const LOCK: &str = "lock";
pub(super) const VM: &str = "vm.json";
pub(super) const ENDED: &str = "ended.json";

/// A folder, locked. Dropped without [`Folder::finish`], it goes: what did not start leaves nothing behind.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
    record: Record,
    vms: Vms,
    finished: bool,
}

impl Folder {
    /// Fills an empty folder, which gets the name `path` afterwards.
    pub(super) fn make(new: &Path, path: PathBuf, record: Record, vms: Vms) -> Result<Self, VmsError> {
        let lock = new.join(LOCK);
        let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&lock);
        let file = file.map_err(host("make", &lock))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| host("lock", &lock)(error.into()))?;
        write(&new.join(VM), &record)?;
        Ok(Self { path, lock: file, record, vms, finished: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of its machine.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the folder for sockets, and says where it is.
    pub fn make_sockets(&self) -> Result<&Path, VmsError> {
        places::make_for_sockets(&self.record.sockets)?;
        Ok(&self.record.sockets)
    }

    /// Writes how the machine ended, and gives the lock back. The folder goes if that was wanted.
    pub fn finish(mut self, ended: &Ended) -> Result<(), VmsError> {
        // For processes that wait for the lock: the folder may be gone before they read anything else.
        let text = serde_json::to_vec(ended).map_err(|error| host("write", &self.path)(error.into()))?;
        let written = self.lock.write_all(&text).map_err(host("write", &self.path));
        if self.record.asked.remove {
            return written;
        }
        self.finished = true;
        write(&self.path.join(ENDED), ended)?;
        // Sockets without a listener mislead other processes.
        super::clear(&self.record.sockets)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished
            && let Ok(_turn) = self.vms.turn()
            && let Some(vm) = Vm::look(&self.record.name, &self.path)
        {
            // What cannot be removed is listed for what it is.
            let _ = self.vms.clear_away(&vm);
        }
    }
}

/// Writes a file that is either there as a whole or not at all.
fn write(path: &Path, content: &impl Serialize) -> Result<(), VmsError> {
    let new = path.with_extension("new");
    let put = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        fs::rename(&new, path)
    };
    put().map_err(host("write", path))
}
