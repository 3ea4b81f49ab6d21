//! `illico cp`: files into a machine and out of it, as a tar archive over its agent's connection.

mod archive;
mod place;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use illico_archive::pack;
use illico_protocol::{Frame, Reader, Request, Word};
use rustix::process::getuid;

use self::archive::{DataReader, DataWriter, unpack};
use self::place::Place;
use crate::agent;
use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::vms::{Vm, Vms};

pub const HELP: &str = "\
Examples:
  illico cp web:/var/log/app.log .
  illico cp ./site web:/srv/

Into a folder that is there it copies under the same name; otherwise the copy gets the new name. A host path with
a colon is written with a slash: ./a:b.

Status: 0, or 125: one line says what could not be copied.";

/// Options of `illico cp`.
#[derive(Debug, Args)]
pub struct Cp {
    /// What to copy: a host path, or NAME:PATH in a machine.
    #[arg(value_name = "FROM")]
    pub from: OsString,

    /// Where to: NAME:PATH in a machine, or a host path.
    #[arg(value_name = "TO")]
    pub to: OsString,
}

/// Copies in the direction that is asked for.
pub fn run(options: &Cp) -> Result<Status, Failure> {
    match (Place::parse(&options.from), Place::parse(&options.to)) {
        (Place::Host(from), Place::Guest(name, to)) => copy_in(&Vms::of_user()?.open(&name)?, &from, &to)?,
        (Place::Guest(name, from), Place::Host(to)) => copy_out(&Vms::of_user()?.open(&name)?, &from, &to)?,
        (Place::Host(_), Place::Host(_)) => {
            return Err("neither is in a machine: write NAME:PATH for one of them".into());
        }
        (Place::Guest(..), Place::Guest(..)) => {
            return Err("both are in machines: copy to this host first, and from it then".into());
        }
    }
    Ok(Status::Ended)
}

fn copy_in(vm: &Vm, from: &Path, to: &Path) -> Result<(), Failure> {
    let wrong = |error: io::Error| format!("{}: {error}", from.display());
    fs::symlink_metadata(from).map_err(wrong)?;
    let name = match from.file_name() {
        Some(name) => name.to_owned(),
        // `.` and `..` have a name, too.
        None => fs::canonicalize(from).map_err(wrong)?.file_name().unwrap_or_default().to_owned(),
    };
    let mut stream = agent::connect(vm)?;
    agent::begin(&mut stream, &Request::CopyIn { path: Word::from(to) })?;
    let reader = Reader::new(stream.try_clone()?);
    let mut writer = DataWriter::new(stream);
    match pack(&mut writer, from, Path::new(&name), |warning| output::say(&warning.to_string())) {
        Ok(()) => {}
        // The agent takes no more, and knows why.
        Err(error) if writer.is_broken() => {
            agent::finish(reader)?;
            return Err(wrong(error).into());
        }
        Err(error) => {
            writer.abandon();
            return Err(error.to_string().into());
        }
    }
    let sent = writer.finish();
    match (sent, agent::finish(reader)) {
        (_, Err(error @ agent::AgentError::Refused(_))) => Err(error.into()),
        (Err(error), _) => Err(wrong(error).into()),
        (Ok(()), done) => Ok(done?),
    }
}

fn copy_out(vm: &Vm, from: &Path, to: &Path) -> Result<(), Failure> {
    let wrong = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let name = from.file_name().ok_or_else(|| format!("{}: name a file or folder below /", from.display()))?;
    let mut stream = agent::connect(vm)?;
    agent::begin(&mut stream, &Request::CopyOut { path: Word::from(from) })?;
    let mut data = DataReader::new(Reader::new(stream));
    if to.is_dir() {
        let unpacked = unpack(&mut data, Path::new(name), to);
        data.end()?;
        return unpacked.and_then(|closed| closed.close(|path| to.join(path))).map_err(|error| wrong(to, error).into());
    }
    // Under another name: first in a folder of its own, where nothing is in its way.
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stage = Stage::beside(parent).map_err(|error| wrong(parent, error))?;
    let unpacked = unpack(&mut data, Path::new(name), &stage.path);
    data.end()?;
    let closed = unpacked.map_err(|error| wrong(to, error))?;
    fs::rename(stage.path.join(name), to).map_err(|error| wrong(to, error))?;
    let place = |path: &Path| path.strip_prefix(name).map_or_else(|_| to.to_owned(), |rest| to.join(rest));
    closed.close(place).map_err(|error| wrong(to, error).into())
}

/// A folder that goes with all that is still in it.
struct Stage {
    path: PathBuf,
    /// Holds the lock that says that the folder is in use.
    _lock: File,
}

/// What the names of such folders begin with.
const STAGE: &str = ".illico-cp.";

impl Stage {
    fn beside(parent: &Path) -> io::Result<Self> {
        remove_abandoned(parent);
        let path = parent.join(format!("{STAGE}{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::open(&path)?;
        // Where the file system knows no locks, the folder is only not protected from other copies.
        let _ = lock.try_lock();
        Ok(Self { path, _lock: lock })
    }
}

/// Removes what copies that were killed have left: folders of that name that belong to this user and that no process has locked.
fn remove_abandoned(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().as_bytes().starts_with(STAGE.as_bytes())) {
        let is_own = entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == getuid().as_raw());
        // A copy that begins has its folder a moment before it has the lock.
        let is_old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > Duration::from_secs(5)));
        if is_own && is_old && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The last frame of data has come, or the agent said why there is none.
fn ended(frame: Option<Frame<'_>>) -> io::Result<()> {
    match frame {
        Some(Frame::End(ending)) if ending.status() == 0 => Ok(()),
        Some(Frame::End(ending)) => Err(io::Error::other(agent::why(&ending))),
        Some(frame) => Err(io::Error::other(format!("the agent sent {frame:?}"))),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
