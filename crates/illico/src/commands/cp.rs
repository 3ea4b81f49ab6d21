//! `illico cp`: files into a machine and out of it, as a tar archive over its agent's connection.

mod archive;
mod place;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use illico_protocol::{Frame, Reader, Request, Word};

use self::archive::{DataReader, DataWriter, unpack};
use self::place::Place;
use crate::agent;
use crate::cli::Cp;
use crate::commands::Failure;
use crate::status::Status;
use crate::vms::{Vm, Vms};

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
    let found = fs::symlink_metadata(from).map_err(wrong)?;
    let name = match from.file_name() {
        Some(name) => name.to_owned(),
        // `.` and `..` have a name, too.
        None => fs::canonicalize(from).map_err(wrong)?.file_name().unwrap_or_default().to_owned(),
    };
    let mut stream = agent::connect(vm)?;
    agent::begin(&mut stream, &Request::CopyIn { path: Word::from(to) })?;
    let reader = Reader::new(stream.try_clone()?);
    let mut archive = tar::Builder::new(DataWriter::new(stream));
    archive.follow_symlinks(false);
    let sent =
        if found.is_dir() { archive.append_dir_all(&name, from) } else { archive.append_path_with_name(from, &name) };
    let sent = sent.and_then(|()| archive.into_inner()?.finish());
    match (sent, agent::finish(reader)) {
        // Where both have something to say, the agent knows why it did not take the rest.
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
        return unpacked.map_err(|error| wrong(to, error).into());
    }
    // Under another name: first in a folder of its own, where nothing is in its way.
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stage = Stage::beside(parent).map_err(|error| wrong(parent, error))?;
    let unpacked = unpack(&mut data, Path::new(name), &stage.0);
    data.end()?;
    unpacked.map_err(|error| wrong(to, error))?;
    fs::rename(stage.0.join(name), to).map_err(|error| wrong(to, error).into())
}

/// A folder that goes with all that is still in it.
struct Stage(PathBuf);

impl Stage {
    fn beside(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!(".illico-cp.{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
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
