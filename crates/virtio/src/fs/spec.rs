//! The spec of a shared folder, and what can be wrong with it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::device_error::{Key, SpecError};

/// Bytes of a tag at most, § 5.11.4.
pub const TAG_BYTES: usize = 36;

crate::device_spec! {
    /// A folder of the host, shared with the guest (virtio-fs), which mounts it by its tag. Nothing outside of it can
    /// be reached. What belongs to you belongs to `owner` in the guest [default: 0:0]. In the guest:
    /// mount -t virtiofs src /mnt.
    /// Example: path=src,tag=src,readonly
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct FsSpec {
        /// `path=DIR`: the folder. Nothing outside of it can be reached through it.
        pub path: PathBuf,
        /// `tag=NAME`: what the guest mounts it by, at most 36 bytes: `mount -t virtiofs NAME /mnt`.
        pub tag: String,
        /// `readonly`: the guest may only read it.
        #[serde(default)]
        pub readonly: bool,
        /// `owner=UID[:GID]`: who owns in the guest what belongs to the user who runs illico [default: 0:0].
        #[serde(default)]
        pub owner: Owner,
        /// `cache=auto|always`: how long the guest believes what it was told [default: always if readonly, else auto].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cache: Option<Cache>,
        /// `xattr`: extended attributes (`user.*`). Linux then asks for some with each program that it starts and
        /// each file that it makes.
        #[serde(default)]
        pub xattr: bool,
    }
}

impl FsSpec {
    /// A writable share with everything else left to its default.
    pub fn new(path: impl Into<PathBuf>, tag: impl Into<String>) -> Self {
        let (path, tag) = (path.into(), tag.into());
        Self { path, tag, readonly: false, owner: Owner::default(), cache: None, xattr: false }
    }

    pub(super) fn check(&self) -> Result<(), FsError> {
        let fits = (1..=TAG_BYTES).contains(&self.tag.len()) && !self.tag.contains(['\0', '\n']);
        if fits { Ok(()) } else { Err(FsError::Tag { tag: self.tag.clone() }) }
    }
}

/// For how long the guest believes what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// A second: what is changed on the host is seen soon.
    Auto,
    /// A day: what was read once costs no exit again, and what is changed on the host may not be seen.
    Always,
}

/// A user and a group of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Owner {
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// Not a user and a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not UID or UID:GID, such as 1000:1000")]
pub struct OwnerError(String);

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|&id| id != u32::MAX);
        let (uid, gid) = text.split_once(':').unwrap_or((text, text));
        match (number(uid), number(gid)) {
            (Some(uid), Some(gid)) => Ok(Self { uid, gid }),
            _ => Err(OwnerError(text.to_owned())),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

impl TryFrom<String> for Owner {
    type Error = OwnerError;

    fn try_from(text: String) -> Result<Self, OwnerError> {
        text.parse()
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

/// A folder cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// Not a tag.
    #[error("a tag is 1 to {TAG_BYTES} bytes on one line")]
    Tag {
        /// What was asked for.
        tag: String,
    },
    /// The folder could not be opened.
    #[error("opening the folder{}", open_fix(source))]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// /proc, /sys or the like: their files do things, and some of them to illico itself.
    #[error("it is a pseudo file system of the kernel, which cannot be shared; the guest has its own")]
    Pseudo {
        /// The folder.
        path: PathBuf,
    },
    /// Files are opened anew through it.
    #[error("opening /proc/self/fd (a share needs /proc mounted on the host)")]
    Proc(#[source] io::Error),
}

impl SpecError for FsError {
    fn keys(&self) -> Vec<Key> {
        match self {
            Self::Tag { tag } => vec![Key::new("tag", tag)],
            Self::Open { path, .. } | Self::Pseudo { path } => vec![Key::new("path", &path.display())],
            Self::Proc(_) => Vec::new(),
        }
    }
}

fn open_fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => " (make it with mkdir, or check the path)",
        io::ErrorKind::NotADirectory => " (name the folder that the file is in)",
        io::ErrorKind::PermissionDenied => " (allow it with chmod)",
        _ => "",
    }
}

#[cfg(test)]
#[path = "spec_test.rs"]
mod tests;
