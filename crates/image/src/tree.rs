//! The tree of a root file system while it is put together: names, attributes, and where the data of files lies in the
//! image. Everything that one entry of a layer or folder can say, and nothing of what the host's file system would
//! make of it.
//!
//! Names and inodes are apart, as on disk: a hard link is a second name. An inode whose last name goes is gone, and what
//! its data took can be used again ([`Tree::take_freed`]).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;

use crate::erofs::Data;

/// The longest name of an entry, NAME_MAX of Linux.
pub const NAME_MAX: usize = 255;
/// The longest target of a symbolic link: PATH_MAX of Linux without its NUL.
pub const TARGET_MAX: usize = 4095;

/// Which inode; never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(u32);

/// A point of time, as file systems keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timestamp {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// What all kinds of inodes have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Permissions: the lower twelve bits of st_mode.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Timestamp,
    /// Extended attributes, by their full name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The number of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device {
    pub major: u32,
    pub minor: u32,
}

/// What an inode is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Directory(BTreeMap<Box<[u8]>, Entry>),
    File(Data),
    Symlink(Box<[u8]>),
    CharDevice(Device),
    BlockDevice(Device),
    Fifo,
    Socket,
}

impl Kind {
    /// A directory without entries.
    pub fn empty_directory() -> Self {
        Self::Directory(BTreeMap::new())
    }
}

/// A name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub inode: InodeId,
    /// The layer that said so last. Whiteouts of a layer hide what layers below it said.
    pub layer: u32,
}

/// One inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    pub attributes: Attributes,
    pub kind: Kind,
    /// How many names it has; subdirectories are not counted.
    pub names: u32,
}

/// The whole tree.
#[derive(Debug)]
pub struct Tree {
    inodes: BTreeMap<InodeId, Inode>,
    next: u32,
    freed: Vec<Data>,
}

/// What does not fit together in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("there are more than 4 billion entries")]
    Full,
    #[error("it lies below what is not a directory")]
    NotADirectory,
    #[error("a hard link to what is not there")]
    NoTarget,
    #[error("a hard link to a directory")]
    LinkToDirectory,
    #[error("a hard link to itself")]
    LinkToItself,
    #[error("the root is not a directory")]
    RootReplaced,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty root directory.
    pub fn new() -> Self {
        let attributes = Attributes { mode: 0o755, ..Attributes::default() };
        let root = Inode { attributes, kind: Kind::empty_directory(), names: 1 };
        Self { inodes: BTreeMap::from([(Self::ROOT, root)]), next: 1, freed: Vec::new() }
    }

    /// The directory in which everything is.
    pub const ROOT: InodeId = InodeId(0);

    /// An inode that some entry names.
    pub fn get(&self, id: InodeId) -> Option<&Inode> {
        self.inodes.get(&id)
    }

    /// How many inodes there are.
    pub fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Never: there is a root.
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    /// The entries of a directory; none for other inodes.
    pub fn entries(&self, directory: InodeId) -> impl DoubleEndedIterator<Item = (&[u8], Entry)> {
        let entries = match self.get(directory).map(|inode| &inode.kind) {
            Some(Kind::Directory(entries)) => Some(entries),
            _ => None,
        };
        entries.into_iter().flatten().map(|(name, &entry)| (&**name, entry))
    }

    /// The entry of this name.
    pub fn entry(&self, directory: InodeId, name: &[u8]) -> Option<Entry> {
        match &self.get(directory)?.kind {
            Kind::Directory(entries) => entries.get(name).copied(),
            _ => None,
        }
    }

    /// Whether this is a directory.
    pub fn is_directory(&self, id: InodeId) -> bool {
        matches!(self.get(id), Some(Inode { kind: Kind::Directory(_), .. }))
    }

    /// Puts an inode at a name. What was there goes, but for a directory that stays one: it keeps its entries.
    pub fn put(
        &mut self,
        directory: InodeId,
        name: &[u8],
        layer: u32,
        attributes: Attributes,
        kind: Kind,
    ) -> Result<InodeId, TreeError> {
        if matches!(kind, Kind::Directory(_))
            && let Some(entry) = self.entry(directory, name)
            && self.is_directory(entry.inode)
        {
            self.set_attributes(entry.inode, attributes);
            self.insert(directory, name, Entry { layer, ..entry })?;
            return Ok(entry.inode);
        }
        let id = InodeId(self.next);
        self.next = self.next.checked_add(1).ok_or(TreeError::Full)?;
        self.remove(directory, name);
        self.insert(directory, name, Entry { inode: id, layer })?;
        self.inodes.insert(id, Inode { attributes, kind, names: 1 });
        Ok(id)
    }

    /// Gives an inode a second name.
    pub fn link(&mut self, directory: InodeId, name: &[u8], layer: u32, target: InodeId) -> Result<(), TreeError> {
        if self.is_directory(target) {
            return Err(TreeError::LinkToDirectory);
        }
        if self.entry(directory, name).is_some_and(|entry| entry.inode == target) {
            return Err(TreeError::LinkToItself);
        }
        // Counted first, so that the target outlives what it replaces.
        let inode = self.inodes.get_mut(&target).ok_or(TreeError::NoTarget)?;
        inode.names = inode.names.checked_add(1).ok_or(TreeError::Full)?;
        self.remove(directory, name);
        self.insert(directory, name, Entry { inode: target, layer })
    }

    /// Changes what all kinds of inodes have.
    pub fn set_attributes(&mut self, id: InodeId, attributes: Attributes) {
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.attributes = attributes;
        }
    }

    /// Takes a name away, with everything below it.
    pub fn remove(&mut self, directory: InodeId, name: &[u8]) {
        let Some(Inode { kind: Kind::Directory(entries), .. }) = self.inodes.get_mut(&directory) else { return };
        let mut gone: Vec<InodeId> = entries.remove(name).map(|entry| entry.inode).into_iter().collect();
        while let Some(id) = gone.pop() {
            let Some(inode) = self.inodes.get_mut(&id) else { continue };
            inode.names = inode.names.saturating_sub(1);
            if inode.names > 0 {
                continue;
            }
            match self.inodes.remove(&id).map(|inode| inode.kind) {
                Some(Kind::Directory(entries)) => gone.extend(entries.values().map(|entry| entry.inode)),
                Some(Kind::File(data)) => self.freed.push(data),
                _ => {}
            }
        }
    }

    /// Takes away what layers below `layer` put into a directory. What `layer` put there stays, with the directories that
    /// it lies in.
    pub fn hide_below(&mut self, directory: InodeId, layer: u32) {
        // Directories first, then their entries again from the inside out: a directory that has become empty goes.
        let mut seen = vec![directory];
        let mut at = 0;
        while let Some(&id) = seen.get(at) {
            at = at.saturating_add(1);
            let below: Vec<InodeId> =
                self.entries(id).map(|(_, entry)| entry.inode).filter(|&id| self.is_directory(id)).collect();
            seen.extend(below);
        }
        for &id in seen.iter().rev() {
            let hidden: Vec<Box<[u8]>> = self
                .entries(id)
                .filter(|&(_, entry)| entry.layer < layer && self.entries(entry.inode).next().is_none())
                .map(|(name, _)| name.into())
                .collect();
            for name in hidden {
                self.remove(id, &name);
            }
        }
    }

    /// The data of files that are gone.
    pub fn take_freed(&mut self) -> Vec<Data> {
        std::mem::take(&mut self.freed)
    }

    fn insert(&mut self, directory: InodeId, name: &[u8], entry: Entry) -> Result<(), TreeError> {
        match self.inodes.get_mut(&directory) {
            Some(Inode { kind: Kind::Directory(entries), .. }) => {
                entries.insert(name.into(), entry);
                Ok(())
            }
            _ => Err(TreeError::NotADirectory),
        }
    }
}

#[cfg(test)]
#[path = "tree_test.rs"]
mod tests;
