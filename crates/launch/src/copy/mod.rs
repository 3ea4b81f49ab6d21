//! Files into a machine and out of it, as a tar archive over a connection to its agent.
//!
//! What is left out or changed meanwhile is a warning, which the caller is handed. How a place in a machine is written is
//! not known here.

mod archive;
mod stage;

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use illico_archive::pack;
use illico_protocol::{Frame, Reader, Request, Word};

use self::archive::{DataReader, DataWriter, unpack};
use self::stage::Stage;
use crate::agent::{self, AgentError};

/// Told of each file that was left out, or that changed while it was copied.
pub type Warn<'a> = &'a dyn Fn(&str);

/// Why files were not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The agent cannot be reached, or refused.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A file or folder of the host.
    #[error("{}: {source}", path.display())]
    Host {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The whole root of a guest.
    #[error("{}: name a file or folder below /", .0.display())]
    Root(PathBuf),
    /// The connection broke, or what came through it is no archive.
    #[error(transparent)]
    Stream(io::Error),
}

fn host(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Host { path, source }
}

/// Copies a file or folder of the host into a machine: into `to` if that is a folder there, and as `to` otherwise. `stream`
/// is a connection to its agent over which nothing was sent.
pub fn to_guest(mut stream: UnixStream, from: &Path, to: &Path, warn: Warn<'_>) -> Result<(), CopyError> {
    fs::symlink_metadata(from).map_err(host(from))?;
    let name = match from.file_name() {
        Some(name) => name.to_owned(),
        // `.` and `..` have a name, too.
        None => fs::canonicalize(from).map_err(host(from))?.file_name().unwrap_or_default().to_owned(),
    };
    agent::begin(&mut stream, &Request::CopyIn { path: Word::from(to) })?;
    let reader = Reader::new(stream.try_clone().map_err(CopyError::Stream)?);
    let mut writer = DataWriter::new(stream);
    match pack(&mut writer, from, Path::new(&name), |warning| warn(&warning.to_string())) {
        Ok(()) => {}
        // The agent takes no more, and knows why.
        Err(error) if writer.is_broken() => {
            agent::finish(reader)?;
            return Err(host(from)(error));
        }
        Err(error) => {
            writer.abandon();
            return Err(CopyError::Stream(error));
        }
    }
    let sent = writer.finish();
    match (sent, agent::finish(reader)) {
        (_, Err(error @ AgentError::Refused(_))) => Err(error.into()),
        (Err(error), _) => Err(host(from)(error)),
        (Ok(()), done) => Ok(done?),
    }
}

/// Copies a file or folder of a machine to the host: into `to` if that is a folder, and as `to` otherwise. `stream` is a
/// connection to its agent over which nothing was sent.
pub fn to_host(mut stream: UnixStream, from: &Path, to: &Path, warn: Warn<'_>) -> Result<(), CopyError> {
    let name = name_below_root(from)?;
    agent::begin(&mut stream, &Request::CopyOut { path: Word::from(from) })?;
    let mut data = DataReader::new(Reader::new(stream), warn);
    if to.is_dir() {
        let unpacked = unpack(&mut data, name, to, warn);
        data.end().map_err(CopyError::Stream)?;
        return unpacked.and_then(|closed| closed.close(|path| to.join(path))).map_err(host(to));
    }
    // Under another name: first in a folder of its own, where nothing is in its way.
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stage = Stage::beside(parent).map_err(host(parent))?;
    let unpacked = unpack(&mut data, name, &stage.path, warn);
    data.end().map_err(CopyError::Stream)?;
    let closed = unpacked.map_err(host(to))?;
    fs::rename(stage.path.join(name), to).map_err(host(to))?;
    let place = |path: &Path| path.strip_prefix(name).map_or_else(|_| to.to_owned(), |rest| to.join(rest));
    closed.close(place).map_err(host(to))
}

/// The name of a path in a guest, which the copy of it gets.
pub fn name_below_root(path: &Path) -> Result<&Path, CopyError> {
    path.file_name().map(Path::new).ok_or_else(|| CopyError::Root(path.to_owned()))
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
