//! Paths inside of a tree: as a process with the root for its own would walk them, and never above it.

use super::Refused;
use crate::tree::{InodeId, Kind, NAME_MAX, Tree};

/// As many symbolic links as Linux follows in one path.
const LINKS_MAX: usize = 40;
/// PATH_MAX of Linux without its NUL.
const PATH_MAX: usize = 4095;

/// The names of a path; a slash in front means nothing, since every path begins at the root.
pub(super) fn components(path: &[u8]) -> Result<Vec<&[u8]>, Refused> {
    if path.len() > PATH_MAX {
        return Err(Refused::LongPath);
    }
    let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names
        .map(|name| match name {
            b".." => Err(Refused::DotDot),
            name if name.len() > NAME_MAX => Err(Refused::LongName),
            name if name.contains(&0) => Err(Refused::Nul),
            name => Ok(name),
        })
        .collect()
}

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Directory(InodeId),
    /// Something on the way is not there.
    Missing,
    /// A component of the path is not a directory.
    Blocked,
}

/// A walk through directories, and the way back.
pub(super) struct Walk<'a> {
    tree: &'a Tree,
    /// From the root to where the walk is; never empty.
    way: Vec<InodeId>,
    links: usize,
    /// Symbolic links of layers below this one are no way.
    follow_from: u32,
}

impl<'a> Walk<'a> {
    /// A walk that follows all symbolic links.
    pub(super) fn from_root(tree: &'a Tree) -> Self {
        Self { tree, way: vec![Tree::ROOT], links: 0, follow_from: 0 }
    }

    /// A walk as a layer is unpacked: by itself, so that only its own symbolic links are there to be followed. Overlayfs lays
    /// what it becomes over the layers below.
    pub(super) fn of_layer(tree: &'a Tree, layer: u32) -> Self {
        Self { follow_from: layer, ..Self::from_root(tree) }
    }

    /// The end of these names.
    pub(super) fn to(mut self, names: &[&[u8]]) -> Result<Place, Refused> {
        let mut todo: Vec<Vec<u8>> = names.iter().rev().map(|name| name.to_vec()).collect();
        let mut last_link: Vec<u8> = Vec::new();
        while let Some(name) = todo.pop() {
            let here = self.way.last().copied().unwrap_or(Tree::ROOT);
            match &*name {
                b"" | b"." => {}
                b".." if self.way.len() > 1 => drop(self.way.pop()),
                b".." => return Err(Refused::Above(last_link)),
                name => {
                    let Some(entry) = self.tree.entry(here, name) else { return Ok(Place::Missing) };
                    match self.tree.get(entry.inode).map(|inode| &inode.kind) {
                        Some(Kind::Directory(_)) => self.way.push(entry.inode),
                        Some(Kind::Symlink(target)) if entry.layer >= self.follow_from => {
                            self.links = self.links.saturating_add(1);
                            if self.links > LINKS_MAX {
                                return Err(Refused::Loop);
                            }
                            if target.starts_with(b"/") {
                                self.way.truncate(1);
                            }
                            last_link = target.to_vec();
                            todo.extend(target.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec));
                        }
                        _ => return Ok(Place::Blocked),
                    }
                }
            }
        }
        Ok(Place::Directory(self.way.last().copied().unwrap_or(Tree::ROOT)))
    }
}
