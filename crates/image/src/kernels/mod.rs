//! Kernels for guests: the host's own, and a store of those that were added or fetched.
//!
//! | in the store's folder | what it is |
//! | --- | --- |
//! | `NAME/vmlinuz` | the kernel, packed or not: its bytes say which |
//! | `NAME/modules/` | its `lib/modules/<release>` |
//! | `NAME/kernel.json` | its record |
//! | `.lock` | held (flock) while a kernel appears or goes |
//! | `.N.part/` | a kernel that is being put together; its file `held` is locked by its maker |
//! | `default` | the name of the kernel that guests have unless another one is asked for |
//!
//! A kernel is put together in a folder of another name, which is then renamed: there are no half ones.
//!
//! [`elf`] finds the ELF file that a machine enters in any kernel file, and [`Cache`] keeps it unpacked: no other room reads
//! kernels in any other form.

mod add;
pub mod bzimage;
mod cache;
mod choose;
mod elf;
mod error;
mod fetch;
mod format;
mod recognise;
#[cfg(test)]
mod testkit;
mod unpack;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::modules::Tree;
use crate::xdg::Base;

pub use cache::Cache;
pub use elf::{NoElf, Timed, elf, untimed};
pub use error::KernelError;
pub use fetch::Watch as FetchWatch;

/// How the host's own kernel is called.
pub const HOST: &str = "host";

const IMAGE: &str = "vmlinuz";
const MODULES: &str = "modules";
const RECORD: &str = "kernel.json";
const DEFAULT: &str = "default";
/// No name of a kernel begins with a dot.
const LOCK: &str = ".lock";
/// In a part: locked by its maker.
const HELD: &str = "held";

/// A kernel that a guest can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its name in the store, `host`, or the path that was given.
    pub name: String,
    /// ELF or bzImage.
    pub image: PathBuf,
    /// `lib/modules/<release>`. A kernel without modules must have everything built in.
    pub modules: Option<PathBuf>,
    /// What `uname -r` says in it.
    pub release: String,
    /// Where it came from, in words.
    pub origin: String,
}

/// What the store remembers of a kernel.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    release: String,
    origin: String,
    modules: bool,
}

impl Kernel {
    /// Whether it has all of these, built in or as modules.
    pub fn has(&self, names: &[&str]) -> bool {
        match self.modules.as_deref().map(Tree::open) {
            Some(Ok(tree)) => names.iter().all(|name| tree.has(name)),
            Some(Err(_)) => false,
            None => true,
        }
    }

    /// The files of modules that make all of `names` work, and those of `also` that it has, in load order.
    pub fn load_order(&self, names: &[&str], also: &[&str]) -> Result<Vec<PathBuf>, KernelError> {
        let Some(folder) = &self.modules else { return Ok(Vec::new()) };
        let tree = Tree::open(folder)?;
        if let Some(missing) = names.iter().find(|name| !tree.has(name)) {
            return Err(KernelError::Lacks {
                kernel: self.name.clone(),
                release: self.release.clone(),
                missing: (*missing).to_owned(),
            });
        }
        let also = also.iter().filter(|name| tree.has(name));
        Ok(tree.load_order(names.iter().chain(also))?)
    }

    /// One with everything built in.
    #[cfg(test)]
    pub(crate) fn builtin_for_tests() -> Self {
        Self {
            name: "test".to_owned(),
            image: PathBuf::from("/nowhere"),
            modules: None,
            release: "6.12".to_owned(),
            origin: String::new(),
        }
    }
}

/// The store, and the host's kernel beside it.
#[derive(Debug, Clone)]
pub struct Kernels {
    folder: PathBuf,
    /// The host's root; another one in tests.
    host: PathBuf,
}

impl Kernels {
    /// The user's: `illico/kernels` under `$XDG_DATA_HOME`, or under `~/.local/share`.
    pub fn of_user() -> Result<Self, KernelError> {
        Ok(Self::at(&Base::Data.folder().ok_or(KernelError::NoHome)?.join("illico/kernels"), Path::new("/")))
    }

    /// In this folder, which need not be there, on a host with this root.
    pub fn at(folder: &Path, host: &Path) -> Self {
        Self { folder: folder.to_owned(), host: host.to_owned() }
    }

    /// All kernels: the host's, then those in the store by name.
    pub fn list(&self) -> Result<Vec<Kernel>, KernelError> {
        let mut kernels: Vec<Kernel> = self.of_host().into_iter().collect();
        let mut stored: Vec<Kernel> = match fs::read_dir(&self.folder) {
            Ok(entries) => entries.flatten().filter_map(|entry| self.stored(entry.file_name().to_str()?)).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(KernelError::file("list", &self.folder)(error)),
        };
        stored.sort_by(|a, b| a.name.cmp(&b.name));
        kernels.append(&mut stored);
        Ok(kernels)
    }

    /// The name of the kernel that was made the default one.
    pub fn default_name(&self) -> Option<String> {
        let name = fs::read_to_string(self.folder.join(DEFAULT)).ok()?;
        // What a full disk left of the file chooses no kernel.
        Some(name.trim_end().to_owned()).filter(|name| name == HOST || check_name(name).is_ok())
    }

    /// Makes this kernel the one that guests have.
    pub fn set_default(&self, name: &str) -> Result<(), KernelError> {
        self.named(name)?;
        self.make_folder()?;
        let _lock = self.lock()?;
        let (path, part) = (self.folder.join(DEFAULT), self.folder.join(".default.part"));
        fs::write(&part, format!("{name}\n")).map_err(KernelError::file("write", &part))?;
        fs::rename(&part, &path).map_err(KernelError::file("write", &path))
    }

    /// Takes a kernel out of the store.
    pub fn remove(&self, name: &str) -> Result<(), KernelError> {
        if name == HOST {
            return Err(KernelError::HostStays);
        }
        check_name(name)?;
        let folder = self.folder.join(name);
        // One whose record is damaged can be removed as well.
        if !folder.is_dir() {
            return Err(self.unknown(name));
        }
        let _lock = self.lock()?;
        self.remove_leftovers()?;
        // Under another name first, so that no reader finds half of it.
        let doomed = self.folder.join(format!(".{name}.gone"));
        fs::rename(&folder, &doomed).map_err(KernelError::file("remove", &folder))?;
        if self.default_name().as_deref() == Some(name) {
            let _ = fs::remove_file(self.folder.join(DEFAULT));
        }
        fs::remove_dir_all(&doomed).map_err(KernelError::file("remove", &doomed))
    }

    /// The kernel of this name, wherever it is.
    fn named(&self, name: &str) -> Result<Kernel, KernelError> {
        let found = if name == HOST { self.of_host() } else { self.stored(name) };
        found.ok_or_else(|| self.unknown(name))
    }

    fn stored(&self, name: &str) -> Option<Kernel> {
        check_name(name).ok()?;
        let folder = self.folder.join(name);
        let record: Record = serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok()?;
        Some(Kernel {
            name: name.to_owned(),
            image: folder.join(IMAGE),
            modules: record.modules.then(|| folder.join(MODULES)),
            release: record.release,
            origin: record.origin,
        })
    }

    fn unknown(&self, name: &str) -> KernelError {
        if name == HOST {
            return KernelError::NoHostKernel { release: self.host_release() };
        }
        let known = self.list().unwrap_or_default().into_iter().map(|kernel| kernel.name).collect();
        KernelError::Unknown { name: name.to_owned(), known }
    }

    /// Removes what interrupted programs left. Says how many bytes that were.
    pub fn prune(&self) -> Result<u64, KernelError> {
        if !self.folder.is_dir() {
            return Ok(0);
        }
        let _lock = self.lock()?;
        self.remove_leftovers()
    }

    fn lock(&self) -> Result<File, KernelError> {
        lock(&self.folder)
    }

    /// Removes parts whose makers are dead: no process holds the lock on their file `held`. Takes the store's lock for granted.
    fn remove_leftovers(&self) -> Result<u64, KernelError> {
        let mut bytes = 0_u64;
        for entry in fs::read_dir(&self.folder).map_err(KernelError::file("list", &self.folder))?.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if !name.starts_with(b".") || !(name.ends_with(b".part") || name.ends_with(b".gone")) {
                continue;
            }
            let held = File::open(path.join(HELD)).ok();
            if held.as_ref().is_some_and(|held| flock(held, FlockOperation::NonBlockingLockExclusive).is_err()) {
                continue;
            }
            bytes = bytes.saturating_add(size_on_disk(&path));
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            // A maker that gives up removes its part at the same time.
            if path.symlink_metadata().is_ok() {
                removed.map_err(KernelError::file("remove", &path))?;
            }
        }
        Ok(bytes)
    }

    fn make_folder(&self) -> Result<(), KernelError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(KernelError::file("make the folder", &self.folder))
    }
}

/// Held (flock) while a kernel appears or goes. The kernel of the host releases it when its holder dies.
fn lock(folder: &Path) -> Result<File, KernelError> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(KernelError::file("open", &path))?;
    let locked = flock(&file, FlockOperation::LockExclusive);
    locked.map_err(|errno| KernelError::file("lock", &path)(errno.into()))?;
    Ok(file)
}

fn size_on_disk(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    let own = metadata.blocks().saturating_mul(512);
    let below = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size_on_disk(&entry.path()));
    if metadata.is_dir() { below.fold(own, u64::saturating_add) } else { own }
}

/// Names are those of folders, and no options.
fn check_name(name: &str) -> Result<(), KernelError> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    let fine = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(is_fine)
        && name.len() <= 128
        && ![HOST, DEFAULT].contains(&name);
    if fine { Ok(()) } else { Err(KernelError::Name(name.to_owned())) }
}

#[cfg(test)]
#[path = "kernels_test.rs"]
mod tests;
