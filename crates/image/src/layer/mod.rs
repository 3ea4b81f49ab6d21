//! Layers become one tree (OCI image specification, "Image Layer Filesystem Changeset").
//!
//! Nothing is made on the host, so no entry can do harm there. Entries that would, if an archive were unpacked in the usual
//! way, are refused all the same: names with `..`, and paths that lead above the root through a symbolic link. Such an image was made to
//! attack, and what it would become is not what its maker tested.

mod paths;

use std::fs::File;
use std::io::Read;

use crate::digest::Summed;
use crate::erofs::{Image, VALUE_MAX, WriteError, XATTRS_MAX};
use crate::tar::{self, Reader, TarError, Type};
use crate::tree::{Attributes, InodeId, Kind, NAME_MAX, TARGET_MAX, Timestamp, Tree, TreeError};
use crate::{Digest, Limits};
use paths::{Place, Walk};

/// What an entry takes in memory beside its names and attributes, roughly.
const ENTRY_COST: u64 = 300;

/// A root file system that is being put together, layer by layer, the lowest first.
#[derive(Debug)]
pub struct Root {
    tree: Tree,
    image: Image,
    /// Bytes of memory that entries may still take.
    metadata: u64,
}

/// Why a layer cannot be applied.
#[derive(Debug, thiserror::Error)]
#[error("entry '{}'", entry.escape_ascii())]
pub struct EntryError {
    entry: Vec<u8>,
    #[source]
    why: Refused,
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Tar(#[from] TarError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("its name has '..'")]
    DotDot,
    #[error("its path leads above the root through the symbolic link '{}'", .0.escape_ascii())]
    Above(Vec<u8>),
    #[error("its path goes through more than 40 symbolic links")]
    Loop,
    #[error("a part of its name is longer than 255 bytes")]
    LongName,
    #[error("its name is longer than 4095 bytes")]
    LongPath,
    #[error("it has no name")]
    NoName,
    #[error("its name has a NUL")]
    Nul,
    #[error("its symbolic link leads nowhere, or to a name of more than 4095 bytes")]
    Target,
    #[error("it hides the root")]
    HidesRoot,
    #[error("its extended attribute '{}' is larger than Linux allows", .0.escape_ascii())]
    Xattr(Vec<u8>),
    #[error("names and attributes of all entries are more than {0} bytes")]
    Metadata(u64),
}

impl Root {
    /// An empty root whose data goes to this empty file.
    pub fn new(file: File, limits: Limits) -> Self {
        Self { tree: Tree::new(), image: Image::create(file, limits.unpacked), metadata: limits.metadata }
    }

    /// The tree so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Applies a tar of changes, whiteouts included, and reads it to its end. Says what the digest of the tar is.
    pub fn apply(&mut self, layer: u32, tar: impl Read) -> Result<Digest, EntryError> {
        self.each(tar, |root, entry, data| match whiteout(&entry.path) {
            None => root.add(layer, entry, data),
            Some(Whiteout::Ours) => Ok(()),
            Some(Whiteout::Opaque(directory)) => root.hide_in(layer, directory),
            Some(Whiteout::Of(directory, name)) => root.hide(layer, directory, name),
        })
    }

    /// Adds a tar in which no name means anything but itself. Says what the digest of the tar is.
    pub fn add_all(&mut self, tar: impl Read) -> Result<Digest, EntryError> {
        self.each(tar, |root, entry, data| root.add(0, entry, data))
    }

    /// Adds one entry, whose data is read from `data`.
    pub(crate) fn add_entry(&mut self, entry: &tar::Entry, data: &mut dyn Read) -> Result<(), EntryError> {
        self.add(0, entry, data).map_err(|why| EntryError { entry: entry.path.clone(), why })
    }

    /// Writes what is not written yet. Says how long the image is.
    pub fn finish(self, uuid: [u8; 16]) -> Result<(File, u64), WriteError> {
        self.image.finish(&self.tree, uuid)
    }

    fn each<R: Read>(
        &mut self,
        tar: R,
        mut apply: impl FnMut(&mut Self, &tar::Entry, &mut dyn Read) -> Result<(), Refused>,
    ) -> Result<Digest, EntryError> {
        let mut reader = Reader::new(Summed::new(tar));
        let mut last = Vec::new();
        loop {
            let read = reader.next_entry();
            // An entry that cannot be read is told by the one before it.
            let Some(entry) = read.map_err(|error| EntryError { entry: last.clone(), why: error.into() })? else {
                break;
            };
            let done = apply(self, &entry, &mut reader.data());
            last = entry.path;
            if let Err(why) = done {
                return Err(EntryError { entry: last, why });
            }
        }
        let mut summed = reader.into_inner();
        let rest = std::io::copy(&mut summed, &mut std::io::sink());
        rest.map_err(|error| EntryError { entry: last, why: TarError::Read(error).into() })?;
        Ok(summed.finish().0)
    }

    /// Puts an entry into the tree. Its data is read from `data`.
    fn add(&mut self, layer: u32, entry: &tar::Entry, data: &mut dyn Read) -> Result<(), Refused> {
        let attributes = self.attributes(entry)?;
        let names = paths::components(&entry.path)?;
        let Some((name, parents)) = names.split_last() else {
            return match entry.kind {
                Type::Directory => {
                    self.tree.set_attributes(Tree::ROOT, attributes);
                    Ok(())
                }
                _ if entry.path.is_empty() => Err(Refused::NoName),
                _ => Err(TreeError::RootReplaced.into()),
            };
        };
        let parent = self.make_directories(layer, parents)?;
        let kind = match entry.kind {
            Type::HardLink => return self.hard_link(layer, parent, name, &entry.link),
            Type::File => Kind::File(self.content(entry, data)?),
            Type::Symlink if entry.link.is_empty() || entry.link.len() > TARGET_MAX => return Err(Refused::Target),
            Type::Symlink if entry.link.contains(&0) => return Err(Refused::Nul),
            Type::Symlink => Kind::Symlink(entry.link.as_slice().into()),
            Type::CharDevice => Kind::CharDevice(entry.device),
            Type::BlockDevice => Kind::BlockDevice(entry.device),
            Type::Directory => Kind::empty_directory(),
            Type::Fifo => Kind::Fifo,
        };
        self.tree.put(parent, name, layer, attributes, kind)?;
        self.reuse();
        Ok(())
    }

    fn content(&mut self, entry: &tar::Entry, mut data: &mut dyn Read) -> Result<crate::erofs::Data, Refused> {
        let place = self.image.allocate(entry.size)?;
        for segment in &entry.segments {
            self.image.write(place, segment.offset, segment.len, &mut data)?;
        }
        Ok(place)
    }

    fn hard_link(&mut self, layer: u32, parent: InodeId, name: &[u8], target: &[u8]) -> Result<(), Refused> {
        let names = paths::components(target)?;
        let (target, parents) = names.split_last().ok_or(TreeError::LinkToDirectory)?;
        let found = match Walk::from_root(&self.tree).to(parents)? {
            Place::Directory(directory) => self.tree.entry(directory, target),
            Place::Missing | Place::Blocked => None,
        };
        let found = found.ok_or(TreeError::NoTarget)?;
        match self.tree.link(parent, name, layer, found.inode) {
            // Archives of archives have such entries; they say nothing new.
            Err(TreeError::LinkToItself) => {}
            linked => linked?,
        }
        self.reuse();
        Ok(())
    }

    /// The directory that these names lead to, made where it is missing. What a layer below had there instead (a file, a
    /// link) makes way, as overlayfs shows it; what this layer had there does not.
    fn make_directories(&mut self, layer: u32, names: &[&[u8]]) -> Result<InodeId, Refused> {
        if let Place::Directory(directory) = Walk::of_layer(&self.tree, layer).to(names)? {
            return Ok(directory);
        }
        let mut directory = Tree::ROOT;
        for count in 1..=names.len() {
            let names = names.get(..count).unwrap_or_default();
            if let Place::Directory(found) = Walk::of_layer(&self.tree, layer).to(names)? {
                directory = found;
                continue;
            }
            let Some(name) = names.last() else { break };
            if self.tree.entry(directory, name).is_some_and(|entry| entry.layer == layer) {
                return Err(TreeError::NotADirectory.into());
            }
            self.charge(name.len())?;
            let attributes = Attributes { mode: 0o755, ..Attributes::default() };
            directory = self.tree.put(directory, name, layer, attributes, Kind::empty_directory())?;
        }
        self.reuse();
        Ok(directory)
    }

    fn hide_in(&mut self, layer: u32, directory: &[u8]) -> Result<(), Refused> {
        let names = paths::components(directory)?;
        // The directory may come only after this entry.
        let directory = self.make_directories(layer, &names)?;
        self.tree.hide_below(directory, layer);
        self.reuse();
        Ok(())
    }

    fn hide(&mut self, layer: u32, directory: &[u8], name: &[u8]) -> Result<(), Refused> {
        if matches!(name, b"" | b"." | b"..") {
            return Err(Refused::HidesRoot);
        }
        let names = paths::components(directory)?;
        let directory = match Walk::of_layer(&self.tree, layer).to(&names)? {
            Place::Directory(directory) => directory,
            // What is not there need not be hidden.
            Place::Missing => return Ok(()),
            // What is there makes way for a directory, in which there is nothing to hide.
            Place::Blocked => return self.make_directories(layer, &names).map(drop),
        };
        let Some(entry) = self.tree.entry(directory, name) else { return Ok(()) };
        self.tree.hide_below(entry.inode, layer);
        if entry.layer < layer && self.tree.entries(entry.inode).next().is_none() {
            self.tree.remove(directory, name);
        }
        self.reuse();
        Ok(())
    }

    fn reuse(&mut self) {
        for data in self.tree.take_freed() {
            self.image.free(data);
        }
    }

    fn attributes(&mut self, entry: &tar::Entry) -> Result<Attributes, Refused> {
        let mut all = 0_usize;
        for (name, value) in &entry.xattrs {
            all = all.saturating_add(name.len()).saturating_add(value.len()).saturating_add(8);
            if name.len() > NAME_MAX || value.len() > VALUE_MAX || all > XATTRS_MAX {
                return Err(Refused::Xattr(name.clone()));
            }
        }
        self.charge(all.saturating_add(entry.path.len()).saturating_add(entry.link.len()))?;
        Ok(Attributes {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: Timestamp { nanoseconds: entry.mtime.nanoseconds.min(999_999_999), ..entry.mtime },
            xattrs: entry.xattrs.clone(),
        })
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Refused> {
        let cost = ENTRY_COST.saturating_add(bytes as u64);
        self.metadata = self.metadata.checked_sub(cost).ok_or(Refused::Metadata(Limits::METADATA))?;
        Ok(())
    }
}

/// What an entry hides, if that is what it is for.
enum Whiteout<'a> {
    /// What layers below put into a directory.
    Opaque(&'a [u8]),
    /// A name in a directory.
    Of(&'a [u8], &'a [u8]),
    /// Book-keeping of a file system of old (aufs).
    Ours,
}

fn whiteout(path: &[u8]) -> Option<Whiteout<'_>> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let slash = path.iter().rposition(|&byte| byte == b'/');
    let (directory, name) = match slash.and_then(|at| path.split_at_checked(at)) {
        Some((directory, rest)) => (directory, rest.get(1..).unwrap_or_default()),
        None => (&b""[..], path),
    };
    let hidden = name.strip_prefix(b".wh.")?;
    Some(match hidden.strip_prefix(b".wh.") {
        Some(b".opq") => Whiteout::Opaque(directory),
        Some(_) => Whiteout::Ours,
        None => Whiteout::Of(directory, hidden),
    })
}

#[cfg(test)]
#[path = "layer_test.rs"]
mod tests;
