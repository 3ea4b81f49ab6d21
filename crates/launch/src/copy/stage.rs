//! The folder in which a copy is made before it gets its name.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::getuid;

/// A folder that goes with all that is still in it.
pub(super) struct Stage {
    pub(super) path: PathBuf,
    /// Holds the lock that says that the folder is in use.
    _lock: File,
}

/// What the names of such folders begin with.
const STAGE: &str = ".illico-cp.";

impl Stage {
    pub(super) fn beside(parent: &Path) -> io::Result<Self> {
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
