//! The spec of a disk, and what can be wrong with it.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::device_error::{Key, Remedy, SpecError};
use crate::image_lock::LockError;

use super::request::{ID_BYTES, SECTOR};

/// Queues of one disk at most: as many as a machine has vCPUs.
pub const MAX_QUEUES: u16 = 64;

crate::device_spec! {
    /// A VirtIO disk on a raw file or block device.
    /// Example: path=root.img,readonly
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct DiskSpec {
        /// `path=FILE`: the raw image file or block device.
        pub path: PathBuf,
        /// `readonly`: the guest may only read it. Several machines can share one read-only image.
        #[serde(default)]
        pub readonly: bool,
        /// `engine=io_uring|sync`: how requests reach the host's kernel [default: io_uring where the kernel has it,
        /// else, and for images in the host's memory, as on tmpfs, sync].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub engine: Option<EngineKind>,
        /// `queues=N`: how many queues the guest gets, 1 to 64, up to one for each vCPU [default: 1].
        #[serde(default = "one")]
        pub queues: u16,
        /// `poll=off|adaptive`: whether the host looks for the next request for a while after it completed one
        /// [default: off].
        #[serde(default)]
        pub poll: Poll,
        /// `id=NAME`: what the guest reads as the serial number, at most 20 bytes; also the disk's name in tables
        /// [default: disk0 and on].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub id: Option<String>,
    }
}

/// How requests reach the host's kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineKind {
    /// Many at a time; a slow one does not hold up others.
    #[serde(rename = "io_uring")]
    IoUring,
    /// One after the other, each with a system call of its own.
    #[serde(rename = "sync")]
    Sync,
}

/// Whether the host looks for requests that it was not told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Poll {
    /// It sleeps until the guest kicks, which costs the guest an exit.
    #[default]
    Off,
    /// It looks for as long as lately paid off, some 100 microseconds at most, which costs host CPU time.
    Adaptive,
}

fn one() -> u16 {
    1
}

impl DiskSpec {
    /// A writable disk with everything else left to its default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readonly: false, engine: None, queues: one(), poll: Poll::Off, id: None }
    }

    pub(super) fn check(&self) -> Result<(), DiskError> {
        if !(1..=MAX_QUEUES).contains(&self.queues) {
            return Err(DiskError::Queues { queues: self.queues });
        }
        match &self.id {
            Some(id) if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(DiskError::Id { id: id.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// A disk cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Not a number of queues.
    #[error("a disk has 1 to {MAX_QUEUES} queues")]
    Queues {
        /// What was asked for.
        queues: u16,
    },
    /// Not a serial number.
    #[error("an id is 1 to {ID_BYTES} ASCII characters without spaces")]
    Id {
        /// What was asked for.
        id: String,
    },
    /// The file could not be opened.
    #[error("opening it for {}{}", access(*readonly), open_fix(source))]
    Open {
        /// The image.
        path: PathBuf,
        /// Whether only to read.
        readonly: bool,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something that no bytes can be read from at a position.
    #[error("it is {what}; name a raw image file or a block device")]
    NotADisk {
        /// The image.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Someone else uses it.
    #[error("locking the file")]
    Lock {
        /// The image.
        path: PathBuf,
        /// Why it was not locked.
        #[source]
        source: LockError,
    },
    /// Its size or its block size could not be found out.
    #[error("finding out its size")]
    Measure {
        /// The image.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The engine that was asked for is unavailable.
    #[error("setting up a ring")]
    Uring(#[source] io::Error),
    /// Nothing, or part of a sector.
    #[error("{size} bytes is not a disk: it must be sectors of {SECTOR} bytes{}", size_fix(*size))]
    Size {
        /// The image.
        path: PathBuf,
        /// Its length in bytes.
        size: u64,
    },
}

fn access(readonly: bool) -> &'static str {
    if readonly { "reading" } else { "reading and writing" }
}

impl SpecError for DiskError {
    fn keys(&self) -> Vec<Key> {
        vec![match self {
            Self::Queues { queues } => Key::new("queues", queues),
            Self::Id { id } => Key::new("id", id),
            Self::Uring(_) => Key::new("engine", "io_uring"),
            Self::Open { path, .. }
            | Self::NotADisk { path, .. }
            | Self::Lock { path, .. }
            | Self::Measure { path, .. }
            | Self::Size { path, .. } => Key::new("path", &path.display()),
        }]
    }

    fn remedy(&self) -> Option<Remedy> {
        let key = |before, key| Some(Remedy::Key { before, key });
        match self {
            Self::Open { readonly: false, source, .. } => match source.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::ResourceBusy => {
                    key("or add", Key::switch("readonly"))
                }
                _ => None,
            },
            Self::Lock { source: LockError::InUse, .. } => key("or give every use of it", Key::switch("readonly")),
            Self::Uring(_) => key("leave engine out, or say", Key::new("engine", "sync")),
            _ => None,
        }
    }
}

fn open_fix(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => " (make one of 1 GiB with: truncate --size=1G FILE)",
        ErrorKind::PermissionDenied => " (allow it with chmod)",
        ErrorKind::ResourceBusy => " (the host uses it: unmount it)",
        _ => "",
    }
}

fn size_fix(size: u64) -> &'static str {
    if size == 0 { " (grow it with: truncate --size=1G FILE)" } else { " (pad it with: truncate --size=%512 FILE)" }
}

#[cfg(test)]
#[path = "spec_test.rs"]
mod tests;
