//! Kernels for guests: the host's own, and a store of those that were added or fetched.
//!
//! | in the store's folder | what it is |
//! | --- | --- |
//! | `NAME/vmlinuz` | the kernel, packed or not: its bytes say which |
//! | `NAME/modules/` | its `lib/modules/<release>` |
//! | `NAME/kernel.json` | its record |
//! | `default` | the name of the kernel that guests have if nobody says otherwise |
//!
//! A kernel is put together in a folder of another name, which is then renamed: there are no half ones.

mod add;
mod choose;
mod error;
mod fetch;
mod recognise;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::modules::Tree;
use crate::xdg::Base;

pub use error::KernelError;
pub use fetch::Watch as FetchWatch;

/// How the host's own kernel is called.
pub const HOST: &str = "host";

const IMAGE: &str = "vmlinuz";
const MODULES: &str = "modules";
const RECORD: &str = "kernel.json";
const DEFAULT: &str = "default";

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
        Some(name.trim_end().to_owned())
    }

    /// Makes this kernel the one that guests have.
    pub fn set_default(&self, name: &str) -> Result<(), KernelError> {
        self.named(name)?;
        self.make_folder()?;
        let (path, part) = (self.folder.join(DEFAULT), self.folder.join(".default.part"));
        fs::write(&part, format!("{name}\n")).map_err(KernelError::file("write", &part))?;
        fs::rename(&part, &path).map_err(KernelError::file("write", &path))
    }

    /// Takes a kernel out of the store.
    pub fn remove(&self, name: &str) -> Result<(), KernelError> {
        if name == HOST {
            return Err(KernelError::HostStays);
        }
        let kernel = self.stored(name).ok_or_else(|| self.unknown(name))?;
        // Under another name first, so that nobody finds half of it.
        let doomed = self.folder.join(format!(".{name}.{}.gone", std::process::id()));
        let folder = self.folder.join(&kernel.name);
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

    fn make_folder(&self) -> Result<(), KernelError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(KernelError::file("make the folder", &self.folder))
    }
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
