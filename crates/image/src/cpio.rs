//! Writes cpio archives in the `newc` format, as the kernel's initramfs loader reads them.
//!
//! Specification: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. Folders that lead to an
//! entry are written once, before it. Owner is always root, time always 0: the same entries give the same bytes.
//! Does not read archives, and writes no hard links.

use std::collections::BTreeSet;

const TYPE_FOLDER: u32 = 0o040_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_SYMLINK: u32 = 0o120_000;
const TYPE_CHARACTER: u32 = 0o020_000;
const TYPE_BLOCK: u32 = 0o060_000;

/// A device node's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Character,
    Block,
}

/// An archive being written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<Vec<u8>>,
    inode: u32,
}

impl Archive {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn folder(&mut self, path: impl AsRef<[u8]>, permissions: u32) -> &mut Self {
        let path = relative(path.as_ref());
        self.parents(path);
        if !path.is_empty() && self.folders.insert(path.to_owned()) {
            self.entry(path, TYPE_FOLDER | permissions, (0, 0), &[]);
        }
        self
    }

    pub fn file(&mut self, path: impl AsRef<[u8]>, permissions: u32, content: &[u8]) -> &mut Self {
        self.leaf(path.as_ref(), TYPE_FILE | permissions, (0, 0), content)
    }

    pub fn symlink(&mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> &mut Self {
        self.leaf(path.as_ref(), TYPE_SYMLINK | 0o777, (0, 0), target.as_ref())
    }

    pub fn node(
        &mut self,
        path: impl AsRef<[u8]>,
        permissions: u32,
        kind: Node,
        (major, minor): (u32, u32),
    ) -> &mut Self {
        let kind = match kind {
            Node::Character => TYPE_CHARACTER,
            Node::Block => TYPE_BLOCK,
        };
        self.leaf(path.as_ref(), kind | permissions, (major, minor), &[])
    }

    /// The archive with its trailer, padded as `cpio` does to whole blocks of 512 bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.header(b"TRAILER!!!", 0, (0, 0), 0);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self.bytes
    }

    fn leaf(&mut self, path: &[u8], mode: u32, device: (u32, u32), content: &[u8]) -> &mut Self {
        let path = relative(path);
        self.parents(path);
        self.entry(path, mode, device, content);
        self
    }

    fn parents(&mut self, path: &[u8]) {
        let ends = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(end, _)| end);
        for end in ends {
            let folder = &path[..end];
            if self.folders.insert(folder.to_owned()) {
                self.entry(folder, TYPE_FOLDER | 0o755, (0, 0), &[]);
            }
        }
    }

    fn entry(&mut self, path: &[u8], mode: u32, device: (u32, u32), content: &[u8]) {
        // Sizes are eight hexadecimal digits. What does not fit is the caller's mistake, not a foreign input.
        let size = u32::try_from(content.len()).expect("a file in a newc archive is smaller than 4 GiB");
        self.inode += 1;
        self.header(path, mode, device, size);
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn header(&mut self, path: &[u8], mode: u32, (major, minor): (u32, u32), size: u32) {
        let links = if mode & TYPE_FOLDER == TYPE_FOLDER && mode & TYPE_FILE == 0 { 2 } else { 1 };
        let name_size = path.len() as u32 + 1;
        self.bytes.extend_from_slice(b"070701");
        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        for field in [self.inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0] {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path);
        self.bytes.push(0);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Archives name their entries without a leading slash.
fn relative(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&byte| byte != b'/').unwrap_or(path.len());
    &path[start..]
}

#[cfg(test)]
#[path = "cpio_test.rs"]
mod tests;
