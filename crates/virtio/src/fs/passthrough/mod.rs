//! The shared folder as a FUSE file system: each request becomes a few system calls relative to places that are held
//! open, with names of one component that are never followed.
//!
//! All is done with the rights of the user who runs illico. Nothing is asked by path, so whatever is renamed,
//! or replaced by a symbolic link, while a guest walks, there is no way out of the folder: `..` and slashes are refused,
//! a link is only read and resolved by the guest, and only regular files and folders are ever opened.

mod change;
mod file;
mod folders;
mod handles;
mod list;
mod nodes;
mod share;
mod xattr;

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, fstatvfs, openat, readlinkat};
use rustix::io::Errno;
use rustix::path::DecInt;

pub use list::Detail;
pub use share::Share;
pub use xattr::Answer;

use super::descriptors::Descriptor;
use super::protocol::{Attr, AttrOut, EntryOut, Kstatfs, StatxOut};
use super::request::Name;
use handles::Handles;
use nodes::{Held, Nodes};
use share::stat;

/// A share in use by a guest.
#[derive(Debug)]
pub struct Passthrough {
    share: Arc<Share>,
    nodes: Nodes,
    handles: Handles,
    /// Whether the guest opens nothing: it reads by node alone.
    stateless: bool,
}

impl Passthrough {
    /// The share as a guest first sees it.
    pub fn new(share: Arc<Share>) -> Result<Self, Errno> {
        Ok(Self { nodes: Nodes::new(Arc::clone(&share))?, handles: Handles::default(), stateless: false, share })
    }

    /// From now on the guest opens nothing.
    pub fn open_nothing(&mut self) {
        self.stateless = true;
    }

    /// A name in a folder. Where there is nothing of that name and the guest may believe that for long, the
    /// answer is the node 0.
    pub fn look_up(&mut self, folder: u64, name: Name<'_>) -> Result<EntryOut, Errno> {
        match self.find(folder, name) {
            Err(Errno::NOENT) => Ok(EntryOut { entry_valid: self.share.valid(), ..EntryOut::default() }),
            other => other,
        }
    }

    fn find(&mut self, folder: u64, name: Name<'_>) -> Result<EntryOut, Errno> {
        let parent = self.nodes.folder(folder)?;
        let place = self.nodes.place(&parent, name.text())?;
        self.tell(place, folder, name)
    }

    /// Tells the guest of what is at a place.
    fn tell(&mut self, place: Descriptor, folder: u64, name: Name<'_>) -> Result<EntryOut, Errno> {
        let (nodeid, stat) = self.nodes.tell(place, folder, name.text())?;
        let node = self.nodes.hold(nodeid)?;
        let attr = self.share.shown(&stat, Nodes::shown_ino(node.mount, stat.stx_ino));
        let valid = self.share.valid();
        Ok(EntryOut { nodeid, entry_valid: valid, attr_valid: valid, attr, ..EntryOut::default() })
    }

    /// The guest forgets.
    pub fn forget(&mut self, node: u64, count: u64) {
        if self.nodes.forget(node, count) {
            self.handles.forget(node);
        }
    }

    pub fn attributes(&mut self, node: u64) -> Result<AttrOut, Errno> {
        let node = self.nodes.hold(node)?;
        Ok(AttrOut { attr_valid: self.share.valid(), attr: self.attr(&node)?, ..AttrOut::default() })
    }

    /// Attributes with the birth time, where the host's file system keeps one.
    pub fn extended_attributes(&mut self, node: u64) -> Result<StatxOut, Errno> {
        let node = self.nodes.hold(node)?;
        let stat = stat(&node.place)?;
        let shown = self.share.shown_extended(&stat, Nodes::shown_ino(node.mount, stat.stx_ino));
        Ok(StatxOut { attr_valid: self.share.valid(), stat: shown, ..StatxOut::default() })
    }

    fn attr(&self, node: &Held) -> Result<Attr, Errno> {
        let stat = stat(&node.place)?;
        Ok(self.share.shown(&stat, Nodes::shown_ino(node.mount, stat.stx_ino)))
    }

    /// The text of a symbolic link. What it means is the guest's business.
    pub fn read_link(&mut self, node: u64) -> Result<Vec<u8>, Errno> {
        let node = self.nodes.hold(node)?;
        if node.kind != FileType::Symlink {
            return Err(Errno::INVAL);
        }
        Ok(readlinkat(&node.place, c"", Vec::new())?.into_bytes())
    }

    pub fn statistics(&mut self, node: u64) -> Result<Kstatfs, Errno> {
        let stat = fstatvfs(&self.nodes.hold(node)?.place)?;
        Ok(Kstatfs {
            blocks: stat.f_blocks,
            bfree: stat.f_bfree,
            bavail: stat.f_bavail,
            files: stat.f_files,
            ffree: stat.f_ffree,
            bsize: u32::try_from(stat.f_bsize).unwrap_or(4096),
            namelen: u32::try_from(stat.f_namemax).unwrap_or(255),
            frsize: u32::try_from(stat.f_frsize).unwrap_or(4096),
            ..Kstatfs::default()
        })
    }

    fn open(&mut self, node: &Held, flags: OFlags) -> Result<Descriptor, Errno> {
        with_room(&mut self.nodes, || open(&self.share, node, flags))
    }
}

/// Opens a regular file or a folder to work with it. Of all else there is no opening: a device would be the
/// host's, and a FIFO would wait.
fn open(share: &Share, node: &Held, flags: OFlags) -> Result<Descriptor, Errno> {
    match node.kind {
        // A file of a pseudo file system can be mounted alone on a file of the share.
        FileType::RegularFile | FileType::Directory if node.hollow => return Err(Errno::ACCESS),
        FileType::RegularFile | FileType::Directory => {}
        FileType::Symlink => return Err(Errno::LOOP),
        _ => return Err(Errno::NXIO),
    }
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let open = || share.pool.open(|| openat(&share.places, at(&node.place), flags, Mode::empty()));
    share.as_owner(&node.place, open)
}

/// Opens something, and gives places up where there are too few descriptors.
fn with_room(nodes: &mut Nodes, mut open: impl FnMut() -> Result<Descriptor, Errno>) -> Result<Descriptor, Errno> {
    loop {
        match open() {
            Err(Errno::MFILE) if nodes.make_room() => {}
            other => return other,
        }
    }
}

/// The name of a place below `/proc/self/fd`.
fn at(place: &impl AsFd) -> DecInt {
    DecInt::from_fd(place)
}
