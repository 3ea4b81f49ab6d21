//! What is known of virtual machines beyond the process that runs each: a folder a machine, below
//! `$XDG_STATE_HOME/illico/vms` (docs/run.md lists what is in it).
//!
//! The process that runs a machine holds the lock of its folder while it lives. That, and not a process
//! number, says whether it is alive: the kernel takes the lock away whatever ends the process. A folder
//! appears under its name complete and locked, by a rename, and goes by a rename; so a crash at any point
//! leaves a folder that is listed for what it is, or one whose name begins with a dot, which is not listed
//! and the next change clears.
//!
//! There is no daemon, and nothing here runs unless a verb asks for it.

mod folder;
mod log;
mod name;
mod places;
mod record;
mod vm;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

pub use self::folder::Folder;
pub use self::log::{Log, LogReader};
pub use self::name::Name;
pub use self::places::{Places, PlacesError};
pub use self::record::{Asked, Ended, Record, Verb, now_ms};
pub use self::vm::{State, Vm};

/// Why the state of machines could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum VmsError {
    /// Where it is kept is not known.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// A machine with this name is there.
    #[error("{name} is in use by a machine that {state}; choose another name, or `illico rm{force} {name}`")]
    InUse {
        /// The name.
        name: Name,
        /// What that machine does.
        state: &'static str,
        /// ` -f` if it runs.
        force: &'static str,
    },
    /// There is no machine with this name.
    #[error("there is no machine {name}; `illico ps --all` lists those that there are")]
    Unknown {
        /// The name.
        name: Name,
    },
    /// It runs, and is not removed.
    #[error("{name} runs; stop it first, or `illico rm -f {name}`")]
    Alive {
        /// The name.
        name: Name,
    },
    /// The host refused something.
    #[error("cannot {attempt} {}", path.display())]
    Host {
        /// What for.
        attempt: &'static str,
        /// Where.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

fn host(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VmsError {
    let path = path.to_owned();
    move |source| VmsError::Host { attempt, path, source }
}

/// What the kernel of a machine said.
pub const CONSOLE_LOG: &str = "console.log";

/// A folder that is being made.
const NEW: &str = ".new";
/// A folder that is being removed.
const GONE: &str = ".gone";
/// The lock of those who make or remove one.
const TURN: &str = ".turn";

/// All machines of a user.
#[derive(Debug, Clone)]
pub struct Vms {
    places: Places,
}

impl Vms {
    /// Those of the user who runs this process.
    pub fn of_user() -> Result<Self, VmsError> {
        Ok(Self { places: Places::of_user()? })
    }

    /// Those that are kept there.
    pub fn at(places: Places) -> Self {
        Self { places }
    }

    /// The folders that all of this is kept in, once they are there.
    pub fn folders(&self) -> Vec<PathBuf> {
        let Places { vms, sockets } = &self.places;
        [vms, sockets].into_iter().filter(|folder| folder.is_dir()).cloned().collect()
    }

    /// Makes the folder of a machine that this process is going to run, under an invented name if none is
    /// asked for. The machine counts as alive from now on, until the folder is dropped.
    pub fn create(&self, name: Option<Name>, asked: Asked) -> Result<Folder, VmsError> {
        let turn = self.turn()?;
        let name = match name {
            Some(name) => match self.find(&name) {
                Some(vm) => return Err(vm.in_use()),
                None => name,
            },
            None => Name::invent(|name| self.find(name).is_some()),
        };
        let new = self.places.vms.join(NEW);
        let path = self.places.vms.join(name.as_str());
        clear(&new)?;
        make_private(&new).map_err(host("make the folder", &new))?;
        let sockets = self.places.sockets_of(&name);
        let folder = Folder::make(&new, path, Record::now(name, sockets, asked), self.clone())?;
        fs::rename(&new, folder.path()).map_err(host("name the folder", folder.path()))?;
        drop(turn);
        Ok(folder)
    }

    /// All that there are, the oldest first.
    pub fn list(&self) -> Result<Vec<Vm>, VmsError> {
        let entries = match fs::read_dir(&self.places.vms) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(host("list", &self.places.vms)(error)),
        };
        let mut vms: Vec<_> = entries.flatten().filter_map(|entry| self.named(&entry.file_name())).collect();
        vms.sort_by_key(|vm| (vm.record.as_ref().map_or(0, |record| record.created_ms), vm.name.clone()));
        Ok(vms)
    }

    /// One of them.
    pub fn open(&self, name: &Name) -> Result<Vm, VmsError> {
        self.find(name).ok_or_else(|| VmsError::Unknown { name: name.clone() })
    }

    /// Removes one that does not run, and its sockets.
    pub fn remove(&self, name: &Name) -> Result<(), VmsError> {
        let _turn = self.turn()?;
        let vm = self.open(name)?;
        if vm.is_alive() {
            return Err(VmsError::Alive { name: name.clone() });
        }
        self.clear_away(&vm)
    }

    /// Removes the folder of a machine, to be called in turn.
    fn clear_away(&self, vm: &Vm) -> Result<(), VmsError> {
        if let Some(record) = &vm.record {
            clear(&record.sockets)?;
        }
        let gone = self.places.vms.join(GONE);
        clear(&gone)?;
        fs::rename(&vm.path, &gone).map_err(host("remove", &vm.path))?;
        clear(&gone)
    }

    fn find(&self, name: &Name) -> Option<Vm> {
        Vm::look(name, &self.places.vms.join(name.as_str()))
    }

    fn named(&self, name: &OsStr) -> Option<Vm> {
        self.find(&name.to_str()?.parse().ok()?)
    }

    /// Waits until no other process makes or removes a folder, and keeps others waiting until it is dropped.
    fn turn(&self) -> Result<File, VmsError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.places.vms).map_err(host("make the folder", &self.places.vms))?;
        let path = self.places.vms.join(TURN);
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(host("open", &path))?;
        // A signal may come in between.
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
            .map_err(|error| host("lock", &path)(error.into()))?;
        Ok(file)
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Removes a folder with all that is in it, if it is there.
fn clear(path: &Path) -> Result<(), VmsError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(host("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "vms_test.rs"]
mod tests;
