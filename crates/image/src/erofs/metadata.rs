//! Where each inode goes, and all of them on disk.
//!
//! Inodes follow each other directory by directory, so that what is listed together is read together. What fits into a
//! block beside its inode (the target of a symbolic link, a small directory) lies there, in the same block.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use zerocopy::IntoBytes;

use super::directory::{self, Dirent};
use super::extents::Extents;
use super::inode::{self, Extended, Layout};
use super::{BLOCK, blocks};
use crate::tree::{Inode, InodeId, Kind, Tree};

/// One inode's place.
#[derive(Debug)]
struct Place {
    id: InodeId,
    parent: InodeId,
    /// From the start of the metadata.
    offset: u64,
    layout: Layout,
    size: u64,
    nlink: u32,
}

/// All places, in their order.
#[derive(Debug)]
pub(super) struct Plan {
    places: Vec<Place>,
    offsets: HashMap<InodeId, u64>,
    len: u64,
}

impl Plan {
    /// Gives every inode its place, and large directories blocks.
    pub(super) fn new(tree: &Tree, extents: &mut Extents) -> Self {
        // Number 0 is not used: programs take an entry with inode 0 for a deleted one.
        let mut plan = Self { places: Vec::new(), offsets: HashMap::new(), len: inode::SIZE };
        plan.place(tree, Tree::ROOT, Tree::ROOT, extents);
        let mut at = 0;
        while let Some(directory) = plan.places.get(at).map(|place| place.id) {
            at = at.saturating_add(1);
            for (_, entry) in tree.entries(directory) {
                if !plan.offsets.contains_key(&entry.inode) {
                    plan.place(tree, entry.inode, directory, extents);
                }
            }
        }
        plan
    }

    /// Bytes of metadata.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Number of the root, which the superblock keeps in 16 bits; it is the first.
    pub(super) fn root(&self) -> u16 {
        self.nid(Tree::ROOT) as u16
    }

    /// How many inodes there are.
    pub(super) fn inodes(&self) -> u64 {
        self.places.len() as u64
    }

    fn nid(&self, id: InodeId) -> u64 {
        self.offsets.get(&id).copied().unwrap_or_default() / inode::SLOT
    }

    fn place(&mut self, tree: &Tree, id: InodeId, parent: InodeId, extents: &mut Extents) {
        let Some(inode) = tree.get(id) else { return };
        let head = inode::SIZE.saturating_add(inode::xattrs(&inode.attributes.xattrs).len() as u64);
        let (size, inlinable) = match &inode.kind {
            Kind::File(data) => (data.size, false),
            Kind::Symlink(target) => (target.len() as u64, true),
            Kind::Directory(_) => (directory::size(names(tree, id).map(|(name, _)| name)), true),
            _ => (0, false),
        };
        let layout = match &inode.kind {
            Kind::File(data) => Layout::Plain(data.block),
            _ if !inlinable || size == 0 => Layout::Plain(0),
            _ if head.saturating_add(size) <= BLOCK => Layout::Inline,
            // Checked against the limit of blocks with everything else.
            _ => Layout::Plain(extents.take(blocks(size)) as u32),
        };
        let whole = if layout == Layout::Inline { head.saturating_add(size) } else { inode::SIZE };
        let mut offset = self.len.next_multiple_of(inode::SLOT);
        if (offset % BLOCK).saturating_add(whole) > BLOCK {
            offset = offset.next_multiple_of(BLOCK);
        }
        self.len = offset.saturating_add(whole.max(head));
        self.offsets.insert(id, offset);
        let subdirectories = match &inode.kind {
            Kind::Directory(entries) => entries.values().filter(|entry| tree.is_directory(entry.inode)).count(),
            _ => 0,
        };
        let nlink = match &inode.kind {
            Kind::Directory(_) => (subdirectories as u32).saturating_add(2),
            _ => inode.names,
        };
        self.places.push(Place { id, parent, offset, layout, size, nlink });
    }

    /// Writes all inodes from `start` on, and large directories to their blocks.
    pub(super) fn write(&self, tree: &Tree, file: &File, start: u64) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(256 << 10, At { file, at: start });
        let mut written = 0_u64;
        for (number, place) in self.places.iter().enumerate() {
            let Some(inode) = tree.get(place.id) else { continue };
            let content = self.content(tree, place, inode);
            let xattrs = inode::xattrs(&inode.attributes.xattrs);
            // From 1, as the numbers themselves.
            let number = (number as u32).saturating_add(1);
            let head = Extended::new(inode, place.layout, place.size, place.nlink, number, xattrs.len());
            let inline = match place.layout {
                Layout::Inline => &content[..],
                Layout::Plain(block) => {
                    file.write_all_at(&content, u64::from(block).saturating_mul(BLOCK))?;
                    &[]
                }
            };
            let gap = place.offset.saturating_sub(written);
            io::copy(&mut io::Read::take(io::repeat(0), gap), &mut out)?;
            for part in [head.as_bytes(), &xattrs, inline] {
                out.write_all(part)?;
            }
            let parts = inode::SIZE.saturating_add(xattrs.len() as u64).saturating_add(inline.len() as u64);
            written = place.offset.saturating_add(parts);
        }
        out.flush()
    }

    /// What an inode has besides the data of files.
    fn content(&self, tree: &Tree, place: &Place, inode: &Inode) -> Vec<u8> {
        match &inode.kind {
            Kind::Symlink(target) => target.to_vec(),
            Kind::Directory(_) => directory::bytes(names(tree, place.id).map(|(name, id)| {
                let id = match name {
                    b".." => place.parent,
                    _ => id,
                };
                let file_type = tree.get(id).map_or(0, |inode| inode::file_type(&inode.kind));
                Dirent { name, nid: self.nid(id), file_type }
            })),
            _ => Vec::new(),
        }
    }
}

/// The names of a directory with `.` and `..`, in the order of their bytes. `..` comes with the directory itself.
fn names(tree: &Tree, directory: InodeId) -> impl Iterator<Item = (&[u8], InodeId)> {
    let mut dots = [&b"."[..], b".."].into_iter().map(move |name| (name, directory)).peekable();
    let mut entries = tree.entries(directory).map(|(name, entry)| (name, entry.inode)).peekable();
    std::iter::from_fn(move || match (dots.peek(), entries.peek()) {
        (Some((dot, _)), Some((name, _))) if dot < name => dots.next(),
        (Some(_), None) => dots.next(),
        _ => entries.next(),
    })
}

/// Writes one after the other from a place in a file.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(bytes, self.at)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
