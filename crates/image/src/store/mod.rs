//! The store: a folder of the user with one file system and one record an image.
//!
//! | file | what it is |
//! | --- | --- |
//! | `HEX.erofs` (`.ext4`, `.squashfs`) | the root file system of the image with this digest |
//! | `HEX.json` | its record: an image is there if and only if this file is |
//! | `names.json` | which names lead to which digests |
//! | `names.json.damaged` | names that could not be read; while it is there, no image is removed for want of a name |
//! | `lock` | held (flock) while an image or a name appears or goes |
//! | `*.part` | an image that is being made, locked by its maker; any process that finds one unlocked may remove it |
//!
//! Every file is written under another name, synced and renamed, so that a reader finds all of it or nothing, whatever
//! dies in between. The layers are not kept: what a guest needs is their sum.

mod guard;
mod names;
mod part;
mod record;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::config::ImageConfig;
use crate::digest::Digest;
use crate::error::Error;
use crate::limits::Limits;
use crate::source::RootKind;
use crate::xdg::Base;

pub use guard::Guard;
pub(crate) use part::Part;
pub use record::Record;

/// Where images are kept.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) plain_http: bool,
}

/// What a machine starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration, or of what it was imported from; a file that is used as it is has none.
    pub id: Option<Digest>,
    pub root: RootFile,
    pub config: ImageConfig,
    /// Keeps the file until a machine has opened it; a file that is used as it is needs none.
    pub guard: Option<Guard>,
}

/// A file that holds a root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFile {
    pub path: PathBuf,
    pub kind: RootKind,
}

/// An image in the store, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: Digest,
    /// As short as people write them.
    pub names: Vec<String>,
    pub record: Record,
    /// Bytes on the disk of the host.
    pub disk: u64,
}

impl Store {
    /// The user's: `illico/images` under `$XDG_DATA_HOME`, or under `~/.local/share`.
    pub fn of_user() -> Result<Self, Error> {
        Self::open(&Base::Data.folder().ok_or(Error::NoHome)?.join("illico/images"))
    }

    /// The store in this folder, which is made if need be.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        // A folder that cannot be made holds no images: lists are empty, and what writes says why it cannot.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        Ok(Self { folder: folder.to_owned(), limits: Limits::default(), plain_http: false })
    }

    /// With other limits for what is unpacked.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Registries are asked without TLS. Those on this host always are.
    #[must_use]
    pub fn with_plain_http(self, plain_http: bool) -> Self {
        Self { plain_http, ..self }
    }

    /// An image by its digest. One whose record is damaged is not there, and is made anew by the next import of it.
    pub fn image(&self, id: Digest) -> Result<Option<Image>, Error> {
        let record = match record::read(&self.record_path(id)) {
            Err(Error::Record { .. }) => None,
            read => read?,
        };
        let Some(record) = record else { return Ok(None) };
        let path = self.root_path(id, record.kind);
        // The file may have been removed by hand, or this image just now.
        let Some(guard) = Guard::of(&path)? else { return Ok(None) };
        let root = RootFile { path, kind: record.kind };
        Ok(Some(Image { id: Some(id), root, config: record.config, guard: Some(guard) }))
    }

    /// All whole images, by their names and the unnamed last. What is damaged is left to [`Store::damage`].
    pub fn list(&self) -> Result<Vec<Stored>, Error> {
        let names = self.names()?;
        let mut all = Vec::new();
        for id in self.ids()? {
            let Ok(Some(record)) = record::read(&self.record_path(id)) else { continue };
            let Ok(file) = self.root_path(id, record.kind).metadata() else { continue };
            let disk = file.blocks().saturating_mul(512);
            let names = names.iter().filter(|&(_, &one)| one == id);
            let names = names
                .map(|(name, _)| name.parse().map_or_else(|_| name.clone(), |one: crate::Reference| one.familiar()));
            let mut names: Vec<String> = names.collect();
            names.sort();
            all.push(Stored { id, names, record, disk });
        }
        all.sort_by(|a, b| (a.names.is_empty(), &a.names, a.id).cmp(&(b.names.is_empty(), &b.names, b.id)));
        Ok(all)
    }

    /// Removes a name, and the image with its last name; or an image by its digest, of which the beginning is enough. Says
    /// what was removed.
    pub fn remove(&self, name: &str) -> Result<Vec<String>, Error> {
        let lock = self.lock()?;
        let mut names = self.names()?;
        let full = name.parse().ok().map(|one: crate::Reference| one.to_string());
        let mut removed = Vec::new();
        let id = match full.and_then(|full| names.remove(&full)) {
            Some(id) => {
                removed.push(name.to_owned());
                id
            }
            None => {
                let id = self.by_prefix(name)?;
                names.retain(|name, one| {
                    if *one == id {
                        removed
                            .push(name.parse().map_or_else(|_| name.clone(), |one: crate::Reference| one.familiar()));
                    }
                    *one != id
                });
                id
            }
        };
        // The image goes before the file of names is written: on a full disk, that makes the room for it.
        if !names.values().any(|&one| one == id) {
            self.remove_image(id)?;
            removed.push(id.to_string());
        }
        self.write_names(&names, &lock)?;
        Ok(removed)
    }

    /// Removes images without a name and what dead processes left. Says how many images and bytes that were.
    pub fn prune(&self) -> Result<(usize, u64), Error> {
        let lock = self.lock()?;
        let names = self.names()?;
        let (mut count, mut bytes) = (0, 0_u64);
        // Without all names, an image without one may be wanted.
        let known = self.names_are_known();
        for stored in self.list()? {
            if known && !names.values().any(|&one| one == stored.id) {
                self.remove_image(stored.id)?;
                count += 1;
                bytes = bytes.saturating_add(stored.disk);
            }
        }
        bytes = bytes.saturating_add(self.remove_leftovers()?);
        drop(lock);
        Ok((count, bytes))
    }

    /// What is wrong with the store, each with its remedy. None of it keeps other images from being used.
    pub fn damage(&self) -> Vec<Error> {
        let mut damage = Vec::new();
        if !self.names_are_known() {
            damage.push(Error::Names { path: self.damaged_names() });
        }
        for id in self.ids().unwrap_or_default() {
            match record::read(&self.record_path(id)) {
                Err(error) => damage.push(error),
                Ok(Some(record)) if !self.root_path(id, record.kind).is_file() => {
                    damage.push(Error::NoRoot { id, path: self.root_path(id, record.kind) });
                }
                Ok(_) => {}
            }
        }
        for (name, id) in self.names().unwrap_or_default() {
            if !self.record_path(id).exists() {
                damage.push(Error::Broken { name });
            }
        }
        damage
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn record_path(&self, id: Digest) -> PathBuf {
        self.folder.join(format!("{}.json", id.hex()))
    }

    pub(crate) fn root_path(&self, id: Digest, kind: RootKind) -> PathBuf {
        self.folder.join(format!("{}.{}", id.hex(), kind.name()))
    }

    fn ids(&self) -> Result<Vec<Digest>, Error> {
        let hex = |name: &str| Digest::from_hex(name.strip_suffix(".json")?).ok();
        Ok(self.files()?.iter().filter_map(|name| hex(name)).collect())
    }

    fn files(&self) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::file("list", &self.folder))?,
        };
        let names = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.collect())
    }

    fn by_prefix(&self, text: &str) -> Result<Digest, Error> {
        let prefix = text.strip_prefix("sha256:").unwrap_or(text);
        let unknown = || Error::Unknown(text.to_owned());
        if prefix.len() < 4 {
            return Err(unknown());
        }
        let mut matching = self.ids()?;
        matching.retain(|id| id.hex().starts_with(prefix));
        match matching[..] {
            [] => Err(unknown()),
            [id] => Ok(id),
            _ => Err(Error::Ambiguous(text.to_owned())),
        }
    }

    /// The record goes first: without it, the rest is garbage. A file that a starting machine guards stays until it is
    /// pruned.
    fn remove_image(&self, id: Digest) -> Result<(), Error> {
        remove(&self.record_path(id))?;
        for kind in [RootKind::Erofs, RootKind::Ext4, RootKind::Squashfs] {
            guard::remove(&self.root_path(id, kind))?;
        }
        Ok(())
    }

    /// Removes parts that are not locked, and file systems without a record. Says how many bytes those had.
    fn remove_leftovers(&self) -> Result<u64, Error> {
        let mut bytes = 0_u64;
        for name in self.files()? {
            let path = self.folder.join(&name);
            let Ok(metadata) = path.metadata() else { continue };
            let (stem, end) = name.rsplit_once('.').unwrap_or((&name, ""));
            // Held until the file is gone, so that a maker that opens it meanwhile sees that and begins again.
            let mut held = None;
            let gone = match end {
                // Its maker renames it and writes the record under the lock that is held here.
                "erofs" | "ext4" | "squashfs"
                    if Digest::from_hex(stem).is_ok_and(|id| !self.record_path(id).exists()) =>
                {
                    guard::remove(&path)?
                }
                "part" => {
                    held = part::take_free(&path);
                    if held.is_some() {
                        remove(&path)?;
                    }
                    held.is_some()
                }
                _ => false,
            };
            if gone {
                bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
            }
            drop(held);
        }
        Ok(bytes)
    }

    fn part_path(&self, stem: &str) -> PathBuf {
        self.folder.join(format!("{stem}.part"))
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes renames in a folder last.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("sync", folder))
}

/// Which names lead where.
type Names = BTreeMap<String, Digest>;

#[cfg(test)]
#[path = "store_test.rs"]
mod tests;
