//! A file system that is about to be opened: while a guard of it lives, its file keeps its name.
//!
//! A machine is told the path of its image and opens it later. In between, another process may remove the image; then its
//! record goes at once, and its file as soon as no guard of it is left, by the next prune. A machine that runs needs no
//! guard, since it has the file open.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::part::is_at;
use crate::error::Error;

/// Keeps the file of an image where it is. Clones keep the same one.
#[derive(Debug, Clone)]
pub struct Guard(#[expect(dead_code, reason = "closing the last one lets go")] Arc<File>);

/// Guards say nothing of an image that its path does not.
impl PartialEq for Guard {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Guard {}

impl Guard {
    /// Guards the file at a path. `None` where it is not there, or has just gone.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, Error> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(Error::file("open", path))?,
        };
        flock(&file, FlockOperation::LockShared).map_err(|errno| Error::file("lock", path)(errno.into()))?;
        Ok(is_at(&file, path).then(|| Self(Arc::new(file))))
    }
}

/// Removes a file system, unless it is guarded. Returns whether it is gone.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened.map_err(Error::file("open", path))?,
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    // The lock is held until the name is gone: who opens the file meanwhile waits, and sees that it is.
    super::remove(path).map(|()| true)
}
