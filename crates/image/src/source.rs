//! Where an image comes from, as a person says it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::compress::Compression;
use crate::error::Error;
use crate::origin::layout;
use crate::reference::{NoReference, Reference};

/// More than a layout's marker file has.
const MARKER_MAX: u64 = 64 << 10;

/// What a file holds that is used as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKind {
    Erofs,
    Ext4,
    Squashfs,
}

impl RootKind {
    /// The name of the file system, as `mount -t` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Ext4 => "ext4",
            Self::Squashfs => "squashfs",
        }
    }
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// A registry, or the store if it has an image of this name.
    Registry(Reference),
    /// A folder with an OCI layout, and which of its images.
    Layout { path: PathBuf, name: Option<String> },
    /// A folder with a root file system.
    Folder(PathBuf),
    /// A tar: an OCI layout, what `docker save` and `podman save` write, or a root file system. It may be compressed.
    Tar { path: PathBuf, name: Option<String> },
    /// A file system.
    Raw { path: PathBuf, kind: RootKind },
}

/// What names no source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Reference(#[from] NoReference),
    #[error(transparent)]
    File(#[from] Error),
}

impl ImageSource {
    /// What begins with `/`, `./`, `../` or `~/` is a path, and so is the name of a file that is here; everything else names
    /// an image. A path may be followed by `:NAME`, if it has several images.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, SourceError> {
        let text = text.as_ref();
        let bytes = text.as_bytes();
        let is_path =
            [&b"/"[..], b"./", b"../"].iter().any(|start| bytes.starts_with(start)) || matches!(bytes, b"." | b"..");
        // A folder without a slash in its name is not taken for an image: 'debian' means the registry's.
        if is_path || Path::new(text).is_file() {
            return Ok(Self::at(text)?);
        }
        // Bytes that are not UTF-8 are not a name either.
        Ok(Self::Registry(text.to_string_lossy().parse()?))
    }

    /// What is at a path, which need not be UTF-8.
    pub fn at(text: impl AsRef<OsStr>) -> Result<Self, Error> {
        let bytes = text.as_ref().as_bytes();
        let whole = PathBuf::from(text.as_ref());
        // The name may have colons itself, and so may the path.
        let colons = bytes.iter().enumerate().rev().filter(|&(_, &byte)| byte == b':');
        let parts = colons.filter_map(|(at, _)| bytes.split_at_checked(at));
        let mut parts = parts.filter_map(|(path, name)| {
            Some((Path::new(OsStr::from_bytes(path)), std::str::from_utf8(name.strip_prefix(b":")?).ok()?))
        });
        let named = if whole.exists() { None } else { parts.find(|(path, _)| path.exists()) };
        let (path, name) = named.map_or((whole, None), |(path, name)| (path.to_owned(), Some(name.to_owned())));
        let metadata = path.metadata().map_err(Error::file("open", &path))?;
        if metadata.is_dir() {
            return Ok(match is_layout(&path) {
                true => Self::Layout { path, name },
                false => Self::Folder(path),
            });
        }
        let file = File::open(&path).map_err(Error::file("open", &path))?;
        let mut start = [0; 2048];
        let mut len = 0;
        while let Some(rest) = start.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, len as u64).map_err(Error::file("read", &path))? {
                0 => break,
                count => len = len.saturating_add(count),
            }
        }
        let start = start.get(..len).unwrap_or_default();
        match recognised(start) {
            Some(kind) => Ok(Self::Raw { path, kind }),
            None if Compression::of(start) != Compression::None || crate::tar::begins(start) => {
                Ok(Self::Tar { path, name })
            }
            None => Err(Error::NotAnImage(path)),
        }
    }
}

/// Whether a folder is an OCI layout, and no root file system that has a file of that name.
fn is_layout(folder: &Path) -> bool {
    let mut content = Vec::new();
    let marker = folder.join("oci-layout");
    let read = |file: File| file.take(MARKER_MAX).read_to_end(&mut content);
    marker.is_file() && File::open(marker).and_then(read).is_ok() && layout::is_marker(&content)
}

/// The file system whose magic number is where it should be.
fn recognised(start: &[u8]) -> Option<RootKind> {
    let at = |offset: usize, magic: &[u8]| start.get(offset..).is_some_and(|bytes| bytes.starts_with(magic));
    if at(1024, &0xe0f5_e1e2_u32.to_le_bytes()) {
        Some(RootKind::Erofs)
    } else if at(1024 + 56, &0xef53_u16.to_le_bytes()) {
        Some(RootKind::Ext4)
    } else if at(0, b"hsqs") {
        Some(RootKind::Squashfs)
    } else {
        None
    }
}

#[cfg(test)]
#[path = "source_test.rs"]
mod tests;
