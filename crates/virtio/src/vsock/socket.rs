//! The host's side as names in the file system: the socket that is listened on, and those that a guest's connections
//! go to.
//!
//! A socket file outlives the program that made it. One without a listener is replaced; our own is removed when
//! [`SocketFile`] is dropped.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with,
};

use super::spec::{VsockError, VsockSpec};
use crate::socket_file::SocketFile;

/// Host programs that may wait to be accepted: from before the guest has a driver on, and where there are as many
/// connections as there may be. The kernel takes no more than `net.core.somaxconn`, 4096 by default.
const BACKLOG: i32 = 4096;

/// A socket that host programs connect to.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    path: PathBuf,
}

impl Listener {
    /// Listens at `spec.path`. Only this user may connect, whatever the umask.
    pub(super) fn open(spec: &VsockSpec) -> Result<(Self, SocketFile), VsockError> {
        let path = &spec.path;
        let wrong = |what| move |source: io::Error| VsockError::Host { path: path.clone(), what, source };
        let address =
            SocketAddrUnix::new(path).map_err(|error| wrong("using it as the name of a socket")(error.into()))?;
        let socket = new_socket().map_err(wrong("making a socket"))?;
        // The file gets the rights of the socket (unix(7) leaves this out): there is no moment in which others may
        // connect.
        fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(|error| wrong("setting its rights")(error.into()))?;
        let _lock = lock_folder(path);
        match bind(&socket, &address) {
            Err(rustix::io::Errno::ADDRINUSE) => {
                clear(path, &address)?;
                bind(&socket, &address)
            }
            done => done,
        }
        .map_err(|error| wrong("making the socket; name a folder that exists and may be written")(error.into()))?;
        let file = SocketFile::made(path).map_err(wrong("looking at the socket just made"))?;
        listen(&socket, BACKLOG).map_err(|error| wrong("listening")(error.into()))?;
        Ok((Self { socket, path: path.clone() }, file))
    }

    /// The next host program, if one is waiting.
    pub(super) fn accept(&self) -> io::Result<UnixStream> {
        Ok(accept_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?.into())
    }

    /// Connects to the program that listens for the guest's connections to `port`.
    pub(super) fn connect(&self, port: u32) -> io::Result<UnixStream> {
        let mut name = self.path.clone().into_os_string();
        name.push(format!("_{port}"));
        let socket = new_socket()?;
        // Does not wait: where the listener's queue is full, that is an error.
        connect(&socket, &SocketAddrUnix::new(name)?)?;
        Ok(socket.into())
    }
}

fn new_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Keeps two machines from replacing the same stale file at once, one of them by then not stale any more. Where the
/// folder cannot be locked, only that moment is unguarded.
fn lock_folder(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder).ok()?;
    flock(&folder, FlockOperation::LockExclusive).ok()?;
    Some(folder)
}

/// Removes a socket without a listener.
fn clear(path: &Path, address: &SocketAddrUnix) -> Result<(), VsockError> {
    let host = |what| move |source: io::Error| VsockError::Host { path: path.to_owned(), what, source };
    let metadata = fs::symlink_metadata(path).map_err(host("looking at what is there"))?;
    if !metadata.file_type().is_socket() {
        return Err(VsockError::NotASocket { path: path.to_owned() });
    }
    let probe = new_socket().map_err(host("making a socket"))?;
    match connect(&probe, address) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path).map_err(host("removing a socket left behind")),
        // Its queue may be full, it may be of another type or another user: it is in use.
        _ => Err(VsockError::InUse { path: path.to_owned() }),
    }
}

#[cfg(test)]
#[path = "socket_test.rs"]
mod tests;
