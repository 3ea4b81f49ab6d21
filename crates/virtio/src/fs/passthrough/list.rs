//! READDIR and READDIRPLUS: entries in the form that the guest takes, as many as there is room for.

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use super::super::protocol::*;
use super::super::request::Name;
use super::Passthrough;
use super::folders::Folder;
use super::handles::Handle;
use super::nodes::{MountIndex, Nodes};

/// How much is told of each entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Name, kind and inode number.
    Name,
    /// All that a LOOKUP would tell, which saves that.
    Node,
}

impl Passthrough {
    pub fn open_folder(&mut self, node: u64) -> Result<OpenOut, Errno> {
        if self.stateless {
            return Err(Errno::NOSYS);
        }
        let place = self.nodes.hold(node)?;
        if place.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        // An empty folder in its place has no descriptor to read, and no entries to be cached either.
        let fh = if place.hollow {
            0
        } else {
            self.handles.check_room()?;
            let file = self.open(&place, OFlags::RDONLY | OFlags::DIRECTORY)?;
            self.handles.give(node, Handle::Folder(Folder::new(file)))
        };
        Ok(OpenOut { fh, open_flags: fopen::KEEP_CACHE | fopen::CACHE_DIR, padding: 0 })
    }

    pub fn release_folder(&mut self, node: u64, fh: u64) -> Result<(), Errno> {
        match fh {
            0 => Ok(()),
            fh => self.handles.release(node, fh).map(drop),
        }
    }

    /// Appends entries of a folder from a position on to `out`, which grows by at most `room` bytes.
    pub fn list(
        &mut self,
        node: u64,
        asked: ReadIn,
        detail: Detail,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Errno> {
        let folder = self.nodes.hold(node)?;
        let mount = folder.mount;
        if folder.kind != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        if folder.hollow {
            return Ok(());
        }
        let end = out.len().saturating_add(room);
        self.entries(node, asked.fh)?.go_to(asked.offset)?;
        if !self.stateless {
            self.handles.reads_ahead(asked.fh);
        }
        loop {
            let Some(entry) = self.entries(node, asked.fh)?.peek()? else { return Ok(()) };
            let more = record(entry.name.as_bytes().len(), detail);
            if out.len().saturating_add(more) > end {
                return Ok(());
            }
            let (name, ino, kind, next) = (entry.name.clone(), entry.ino, entry.kind, entry.next);
            self.entries(node, asked.fh)?.pass();
            // A name that no lookup takes is `.` or `..`, which have no node of their own here.
            let known = match (detail, Name::new(&name)) {
                (Detail::Node, Ok(name)) => self.find(node, name).ok(),
                _ => None,
            };
            let shown = match &known {
                Some(entry) => entry.attr.ino,
                None => self.ino_of(node, mount, name.as_bytes(), ino),
            };
            if detail == Detail::Node {
                // What cannot be looked up, for want of rights or descriptors, is listed all the same.
                out.extend_from_slice(known.unwrap_or_default().as_bytes());
            }
            let namelen = u32::try_from(name.as_bytes().len()).map_err(|_| Errno::NAMETOOLONG)?;
            let kind = kind.as_raw_mode() >> 12;
            out.extend_from_slice(Dirent { ino: shown, off: next, namelen, kind }.as_bytes());
            out.extend_from_slice(name.as_bytes());
            out.resize(out.len().next_multiple_of(8), 0);
        }
    }

    /// What lies above the shared folder is not shown, its number neither.
    fn ino_of(&mut self, node: u64, mount: MountIndex, name: &[u8], ino: u64) -> u64 {
        match self.nodes.hold(node) {
            Ok(root) if node == ROOT && name == b".." => self.attr(&root).map_or(1, |attr| attr.ino),
            _ => Nodes::shown_ino(mount, ino),
        }
    }

    fn entries(&mut self, node: u64, fh: u64) -> Result<&mut Folder, Errno> {
        if !self.stateless {
            return self.handles.folder(node, fh);
        }
        match self.recent(node)? {
            Handle::Folder(folder) => Ok(folder),
            Handle::File(_) => Err(Errno::NOTDIR),
        }
    }
}

/// Bytes that an entry takes.
fn record(name: usize, detail: Detail) -> usize {
    let node = if detail == Detail::Node { size_of::<EntryOut>() } else { 0 };
    node + (size_of::<Dirent>() + name).next_multiple_of(8)
}
