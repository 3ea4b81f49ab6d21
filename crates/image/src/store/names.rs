//! The names of images, in one file that is replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use super::{Names, Store, record};
use crate::digest::Digest;
use crate::error::Error;
use crate::reference::Reference;

/// The lock on all names: no other process changes any while it is held.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing it lets go")] File);

impl Store {
    /// The image of this name.
    pub fn find(&self, name: &Reference) -> Result<Option<Digest>, Error> {
        Ok(self.names()?.get(&name.to_string()).copied())
    }

    /// Lets a name lead to an image, whatever it led to before. False: the image is not there (any more), and nothing
    /// was changed.
    pub fn tag(&self, name: &Reference, id: Digest) -> Result<bool, Error> {
        let lock = self.lock()?;
        if self.image(id)?.is_none() {
            return Ok(false);
        }
        let mut names = self.names()?;
        if names.insert(name.to_string(), id) != Some(id) {
            self.write_names(&names, &lock)?;
        }
        Ok(true)
    }

    /// Whether all names that were ever given can be read.
    pub(crate) fn names_are_known(&self) -> bool {
        let is_whole = match fs::read(self.folder.join("names.json")) {
            Ok(text) => serde_json::from_slice::<BTreeMap<String, String>>(&text).is_ok(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        is_whole && !self.damaged_names().exists()
    }

    pub(crate) fn damaged_names(&self) -> PathBuf {
        self.folder.join("names.json.damaged")
    }

    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let path = self.folder.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::file("open", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| Error::file("lock", &path)(errno.into()))?;
        Ok(Lock(file))
    }

    pub(super) fn names(&self) -> Result<Names, Error> {
        let path = self.folder.join("names.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Names::new()),
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        // A damaged file has no names that could be used; it must not keep images from being listed or removed.
        let names: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap_or_default();
        Ok(names.into_iter().filter_map(|(name, id)| Some((name, id.parse().ok()?))).collect())
    }

    pub(super) fn write_names(&self, names: &Names, _: &Lock) -> Result<(), Error> {
        let path = self.folder.join("names.json");
        if path.exists() && !self.names_are_known() && !self.damaged_names().exists() {
            fs::rename(&path, self.damaged_names()).map_err(Error::file("rename", &path))?;
        }
        let names: BTreeMap<&String, String> = names.iter().map(|(name, id)| (name, id.to_string())).collect();
        record::write_json(&self.folder, "names.json", &names)
    }
}
