//! Putting a kernel into the store: a copy, whole or not at all.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::choose::release_of;
use super::{HELD, IMAGE, Kernel, KernelError, Kernels, MODULES, RECORD, Record, check_name, lock};
use crate::modules::Tree;

/// What of a modules folder is kept beside the modules themselves.
const INDEXES: [&str; 4] = ["modules.dep", "modules.order", "modules.builtin", "modules.softdep"];

impl Kernels {
    /// Adds the kernel in this file. Without a folder of modules, it must have everything built in.
    pub fn add(&self, name: &str, image: &Path, modules: Option<&Path>) -> Result<Kernel, KernelError> {
        self.check_free(name)?;
        let release = release_of(image)?;
        if let Some(folder) = modules {
            check_modules(folder, &release)?;
        }
        let part = self.part()?;
        let kept = part.0.join(IMAGE);
        fs::copy(image, &kept).map_err(KernelError::file("copy", image))?;
        if let Some(folder) = modules {
            copy_modules(folder, &part.0.join(MODULES))?;
        }
        let origin = fs::canonicalize(image).unwrap_or_else(|_| image.to_owned()).display().to_string();
        self.keep(&part, name, &Record { release, origin, modules: modules.is_some() })
    }

    /// That a kernel of this name may be made.
    pub(super) fn check_free(&self, name: &str) -> Result<(), KernelError> {
        check_name(name)?;
        if self.folder.join(name).exists() { Err(KernelError::InUse(name.to_owned())) } else { Ok(()) }
    }

    /// A folder for a kernel that is being put together.
    pub(super) fn part(&self) -> Result<Part, KernelError> {
        self.make_folder()?;
        let _lock = self.lock()?;
        self.remove_leftovers()?;
        // Parts that are left have living makers, so the first free number is this maker's alone.
        let mut number = 0_u64;
        let folder = loop {
            let folder = self.folder.join(format!(".{number}.part"));
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number = number.saturating_add(1),
                made => {
                    made.map_err(KernelError::file("make the folder", &folder))?;
                    break folder;
                }
            }
        };
        let path = folder.join(HELD);
        let held = File::create(&path).map_err(KernelError::file("write", &path))?;
        let locked = flock(&held, FlockOperation::NonBlockingLockExclusive);
        locked.map_err(|errno| KernelError::file("lock", &path)(errno.into()))?;
        Ok(Part(folder, held))
    }

    /// Gives it its name.
    pub(super) fn keep(&self, part: &Part, name: &str, record: &Record) -> Result<Kernel, KernelError> {
        let path = part.0.join(RECORD);
        let json = serde_json::to_vec_pretty(record).unwrap_or_default();
        fs::write(&path, json).map_err(KernelError::file("write", &path))?;
        File::open(&path)
            .and_then(|file| rustix::fs::syncfs(file).map_err(Into::into))
            .map_err(KernelError::file("write", &path))?;
        let folder = self.folder.join(name);
        let _lock = self.lock()?;
        let held = part.0.join(HELD);
        fs::remove_file(&held).map_err(KernelError::file("remove", &held))?;
        let Err(error) = fs::rename(&part.0, &folder) else { return self.named(name) };
        // Without its file `held`, it goes under this lock or with the next change of the store.
        let _ = fs::remove_dir_all(&part.0);
        // Another one of this name was faster.
        Err(if folder.exists() {
            KernelError::InUse(name.to_owned())
        } else {
            KernelError::file("make", &folder)(error)
        })
    }
}

/// A folder and its locked file `held`. Gone when dropped, unless it was renamed.
#[derive(Debug)]
pub(super) struct Part(pub(super) PathBuf, File);

impl Drop for Part {
    fn drop(&mut self) {
        // Another maker may have a folder of this name by now: only one with this part's own file is this part, and the
        // store's lock keeps it so.
        let store = self.0.parent().unwrap_or(Path::new("."));
        let Ok(_lock) = lock(store) else { return };
        let id = |file: fs::Metadata| (file.dev(), file.ino());
        if let (Ok(own), Ok(found)) = (self.1.metadata(), fs::metadata(self.0.join(HELD)))
            && id(own) == id(found)
        {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// That the folder holds modules, and those of this kernel: they are in a folder of its name, unless someone renamed it.
fn check_modules(folder: &Path, release: &str) -> Result<(), KernelError> {
    Tree::open(folder)?;
    let whole = fs::canonicalize(folder).map_err(KernelError::file("read", folder))?;
    let in_modules = whole.parent().is_some_and(|parent| parent.ends_with("lib/modules"));
    match whole.file_name().and_then(|name| name.to_str()) {
        Some(name) if in_modules && name != release => Err(KernelError::OtherModules {
            folder: folder.to_owned(),
            modules: name.to_owned(),
            kernel: release.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn copy_modules(from: &Path, to: &Path) -> Result<(), KernelError> {
    fs::create_dir_all(to).map_err(KernelError::file("make the folder", to))?;
    for name in INDEXES {
        let index = from.join(name);
        if index.is_file() {
            fs::copy(&index, to.join(name)).map_err(KernelError::file("copy", &index))?;
        }
    }
    for place in ["kernel", "updates", "extra"] {
        if from.join(place).is_dir() {
            copy_folder(&from.join(place), &to.join(place))?;
        }
    }
    Ok(())
}

/// Copies files and folders; links and other things are no modules.
fn copy_folder(from: &Path, to: &Path) -> Result<(), KernelError> {
    fs::create_dir_all(to).map_err(KernelError::file("make the folder", to))?;
    for entry in fs::read_dir(from).map_err(KernelError::file("list", from))? {
        let entry = entry.map_err(KernelError::file("list", from))?;
        let kind = entry.file_type().map_err(KernelError::file("read", &entry.path()))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(KernelError::file("copy", &entry.path()))?;
        }
    }
    Ok(())
}
