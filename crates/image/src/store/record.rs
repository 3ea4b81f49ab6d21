//! What the store knows of an image besides its file system.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sync_folder;
use crate::config::ImageConfig;
use crate::error::Error;
use crate::source::RootKind;

/// The record of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub kind: RootKind,
    /// The length of the file system; holes take no room on the host's disk.
    pub size: u64,
    /// Seconds since 1970: when it came into the store.
    pub stored: u64,
    /// What it was made from, for people.
    pub source: String,
    pub config: ImageConfig,
}

pub(super) fn read(path: &Path) -> Result<Option<Record>, Error> {
    match fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).map(Some).map_err(|source| Error::Record { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// Writes all of a file or nothing.
pub(super) fn write_json(folder: &Path, name: &str, value: &impl Serialize) -> Result<(), Error> {
    let path = folder.join(name);
    // Of this process, so that two do not write into one; what a dead one left is an abandoned part and removed as such.
    let part = folder.join(format!("{name}.{}.part", std::process::id()));
    let written = (|| {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        let mut file = File::create(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, &path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return Err(Error::file("write", path)(error));
    }
    sync_folder(folder)
}
