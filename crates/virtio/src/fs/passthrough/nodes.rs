//! Nodes: what the guest has been told a number for. Each holds its file or folder as a place (`O_PATH`), so that it
//! stays the same one whatever it is called by now.
//!
//! A node lives until the guest has forgotten it as often as it was told of it. The numbers are never used twice.

use std::collections::HashMap;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Statx};
use rustix::io::Errno;

use super::super::descriptors::Descriptor;
use super::super::protocol::ROOT;
use super::share::{is_pseudo, stat};

/// One mount of one file system, as its number in the order in which they were met.
pub type MountIndex = u32;

/// What a file is on the host. A bind mount shows a folder twice, and each is a node: Linux wants a folder to be in
/// one place only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    mount: MountIndex,
    ino: u64,
}

/// Something that the guest has been told of.
#[derive(Debug)]
pub struct Node {
    /// It, as a place.
    pub place: Descriptor,
    /// Never changes while the place is held.
    pub kind: FileType,
    pub mount: MountIndex,
    /// The top of a pseudo file system: shown as an empty folder.
    pub hollow: bool,
    key: Key,
    told: u64,
}

#[derive(Debug)]
struct Mount {
    device: (u32, u32),
    id: u64,
    pseudo: bool,
}

/// All nodes of a guest.
#[derive(Debug)]
pub struct Nodes {
    by_number: HashMap<u64, Node>,
    by_key: HashMap<Key, u64>,
    next: u64,
    mounts: Vec<Mount>,
}

impl Nodes {
    /// The folder itself, and nothing else.
    pub fn new(root: Descriptor) -> Result<Self, Errno> {
        let mut nodes = Self { by_number: HashMap::new(), by_key: HashMap::new(), next: ROOT, mounts: Vec::new() };
        nodes.tell(root)?;
        Ok(nodes)
    }

    pub fn get(&self, number: u64) -> Result<&Node, Errno> {
        self.by_number.get(&number).ok_or(Errno::STALE)
    }

    /// A folder in which names can be looked up.
    pub fn folder(&self, number: u64) -> Result<&Node, Errno> {
        let node = self.get(number)?;
        match node.kind {
            FileType::Directory if node.hollow => Err(Errno::NOENT),
            FileType::Directory => Ok(node),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Gives the number of what is at `place`, a new one or that which it has, and counts that the guest is told.
    pub fn tell(&mut self, place: Descriptor) -> Result<(u64, Statx), Errno> {
        let stat = stat(&place)?;
        let mount = self.mount(&stat, &place)?;
        let key = Key { mount, ino: stat.stx_ino };
        if let Some(&number) = self.by_key.get(&key)
            && let Some(node) = self.by_number.get_mut(&number)
        {
            node.told = node.told.saturating_add(1);
            return Ok((number, stat));
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        let hollow = self.mounts.get(mount as usize).is_some_and(|mount| mount.pseudo);
        self.by_key.insert(key, number);
        self.by_number.insert(number, Node { place, kind, mount, hollow, key, told: 1 });
        Ok((number, stat))
    }

    /// The guest has forgotten what it was told `count` times. `true` where that was the last of it. The folder
    /// itself is never forgotten.
    pub fn forget(&mut self, number: u64, count: u64) -> bool {
        let Some(node) = self.by_number.get_mut(&number).filter(|_| number != ROOT) else { return false };
        node.told = node.told.saturating_sub(count);
        if node.told > 0 {
            return false;
        }
        if let Some(node) = self.by_number.remove(&number) {
            self.by_key.remove(&node.key);
        }
        true
    }

    /// The inode number that the guest is shown. Those of the folder's own file system are the host's; of others they
    /// are moved apart, for a guest sees one device and takes equal numbers for one file.
    pub fn shown_ino(mount: MountIndex, ino: u64) -> u64 {
        ino ^ u64::from(mount) << 40
    }

    fn mount(&mut self, stat: &Statx, place: &impl AsFd) -> Result<MountIndex, Errno> {
        let (device, id) = ((stat.stx_dev_major, stat.stx_dev_minor), stat.stx_mnt_id);
        if let Some(known) = self.mounts.iter().position(|mount| mount.device == device && mount.id == id) {
            return Ok(known as MountIndex);
        }
        // The folder itself is no such thing: its share would not have been opened.
        let pseudo = !self.mounts.is_empty() && is_pseudo(place)?;
        self.mounts.push(Mount { device, id, pseudo });
        Ok((self.mounts.len() - 1) as MountIndex)
    }
}
