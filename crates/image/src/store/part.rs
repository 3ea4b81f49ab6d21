//! An image that is being made. Its file has a lock, which the kernel lets go of when its maker dies, however it dies.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Guard, Image, Record, RootFile, Store, record, sync_folder};
use crate::digest::Digest;
use crate::error::Error;
use crate::progress::{Progress, Watch};

/// A file system that is being made. Unless it is kept, it goes with this value.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Store {
    /// Begins to make the image with this digest. A process that makes the same image at the moment is waited for.
    pub(crate) fn begin(&self, id: Digest, watch: Watch<'_>) -> Result<Part, Error> {
        let path = self.part_path(&id.hex());
        loop {
            let file = open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => {
                    watch(Progress::Wait);
                    flock(&file, FlockOperation::LockExclusive)
                }
                locked => locked,
            }
            .map_err(|errno| Error::file("lock", &path)(errno.into()))?;
            // The holder before may have renamed or removed it.
            if is_at(&file, &path) {
                file.set_len(0).map_err(Error::file("write", &path))?;
                return Ok(Part { path, file, kept: false });
            }
        }
    }

    /// Begins to make an image whose digest is known only at its end.
    pub(crate) fn begin_unknown(&self) -> Result<Part, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = self.part_path(&format!("import-{}-{number}", std::process::id()));
            let file = open(&path)?;
            // What another process of this number left is used again.
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&file, &path) {
                file.set_len(0).map_err(Error::file("write", &path))?;
                return Ok(Part { path, file, kept: false });
            }
        }
    }

    /// Keeps what was made: from here on the image is there.
    pub(crate) fn keep(&self, mut part: Part, id: Digest, record: Record) -> Result<Image, Error> {
        // A guest must not write into what others start from.
        let readonly = fs::Permissions::from_mode(0o444);
        let path = self.root_path(id, record.kind);
        // From the file's name to its record, so that prune sees both or neither.
        let lock = self.lock()?;
        let renamed = part.file.set_permissions(readonly).and_then(|()| part.file.sync_all());
        renamed.and_then(|()| fs::rename(&part.path, &path)).map_err(Error::file("write", &path))?;
        part.kept = true;
        sync_folder(self.folder())?;
        let name = format!("{}.json", id.hex());
        record::write_json(self.folder(), &name, &record)?;
        // Who waits for this part must not wait for the machine that starts from it: its lock is another one.
        drop(part);
        let guard = Guard::of(&path)?;
        drop(lock);
        let root = RootFile { path, kind: record.kind };
        Ok(Image { id: Some(id), root, config: record.config, guard })
    }
}

impl Part {
    /// The file to write to.
    pub(crate) fn file(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(Error::file("open", &self.path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A part whose maker is dead, locked.
pub(super) fn take_free(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    (flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&file, path)).then_some(file)
}

fn open(path: &Path) -> Result<File, Error> {
    let file = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
    file.map_err(Error::file("write", path))
}

/// Whether this file still has this name.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let same = |a: io::Result<fs::Metadata>, b: io::Result<fs::Metadata>| match (a, b) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    };
    same(file.metadata(), path.metadata())
}
