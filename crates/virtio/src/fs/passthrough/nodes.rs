//! Nodes: what the guest has been told a number for. Each holds its file or folder as a place (`O_PATH`), so that it
//! stays the same one whatever it is called by now.
//!
//! Places take descriptors. When there are many, those that were not used for longest are given up, and are found
//! again by the name that they were told by last: if it is not the same file any more, the node is stale.
//!
//! A node lives until the guest has forgotten it as often as it was told of it, or until there are too many: Linux keeps
//! its inodes for as long as it has memory, and a hostile guest forgets none. Of [`MAX_NODES`] the one whose place was
//! given up first is evicted then, and its number is stale (`ESTALE`). Linux then looks the path up again, as it does on
//! NFS. The numbers are never used twice.

use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Statx};
use rustix::io::Errno;

use super::super::descriptors::Descriptor;
use super::super::protocol::ROOT;
use super::share::{Share, is_pseudo, stat, stat_at};

/// Places that are held at most: each pins an inode of the host's kernel too.
const MAX_PLACES: usize = 16 << 10;

/// Nodes at most, each some 300 bytes and its name. Far more than places, so that there is always one to be evicted.
const MAX_NODES: usize = 1 << 18;
const _: () = assert!(MAX_NODES > 2 * MAX_PLACES);

/// Places that are given up together when descriptors run out.
const GIVEN_UP: usize = 32;

/// Folders in one another at most, on the way to a node whose place was given up.
const DEEPEST: usize = 4096;

/// One mount of one file system, as its number in the order in which they were met.
pub type MountIndex = u32;

/// What a file is on the host. A bind mount shows a folder twice, and each is a node: Linux wants a folder to be in
/// one place only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    mount: MountIndex,
    ino: u64,
    /// When it came to be: the numbers of files that have gone are used again.
    born: (i64, u32),
}

/// A node with its place, for as long as something is done with it.
#[derive(Debug, Clone)]
pub struct Held {
    /// It, as a place.
    pub place: Arc<Descriptor>,
    pub kind: FileType,
    pub mount: MountIndex,
    /// On a pseudo file system: a folder is shown empty, and a file is never opened.
    pub hollow: bool,
}

/// Something that the guest has been told of.
#[derive(Debug)]
struct Node {
    place: Option<Arc<Descriptor>>,
    kind: FileType,
    hollow: bool,
    key: Key,
    told: u64,
    /// Since the last look for places to be given up.
    used: bool,
    /// It stands in `Nodes::without_place`.
    evictable: bool,
    /// Where it was seen last.
    parent: u64,
    name: CString,
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
    share: Arc<Share>,
    max_nodes: usize,
    max_places: usize,
    by_number: HashMap<u64, Node>,
    by_key: HashMap<Key, u64>,
    next: u64,
    mounts: Vec<Mount>,
    /// Nodes with a place, but for the folder itself and some that have been forgotten: those that got it first come
    /// first.
    with_place: VecDeque<u64>,
    held: usize,
    /// Nodes whose place was given up, the first of them first; some may have a place again, or have been forgotten.
    without_place: VecDeque<u64>,
}

impl Nodes {
    /// The folder itself, and nothing else.
    pub fn new(share: Arc<Share>) -> Result<Self, Errno> {
        let root = share.pool.open(|| rustix::io::fcntl_dupfd_cloexec(&share.root, 0))?;
        let mut nodes = Self {
            share,
            max_nodes: MAX_NODES,
            max_places: MAX_PLACES,
            by_number: HashMap::new(),
            by_key: HashMap::new(),
            next: ROOT,
            mounts: Vec::new(),
            with_place: VecDeque::new(),
            held: 0,
            without_place: VecDeque::new(),
        };
        nodes.tell(root, ROOT, c"")?;
        Ok(nodes)
    }

    /// A node with its place, which is opened anew where it was given up.
    pub fn hold(&mut self, number: u64) -> Result<Held, Errno> {
        let mut way = Vec::new();
        let mut at = number;
        let mut place = loop {
            let node = self.by_number.get_mut(&at).ok_or(Errno::STALE)?;
            node.used = true;
            if let Some(place) = &node.place {
                break Arc::clone(place);
            }
            way.push(at);
            at = node.parent;
            if way.len() > DEEPEST {
                return Err(Errno::STALE);
            }
        };
        for &number in way.iter().rev() {
            place = self.find_again(number, &place)?;
        }
        let node = self.by_number.get(&number).ok_or(Errno::STALE)?;
        Ok(Held { place, kind: node.kind, mount: node.key.mount, hollow: node.hollow })
    }

    fn find_again(&mut self, number: u64, folder: &Descriptor) -> Result<Arc<Descriptor>, Errno> {
        let name = self.by_number.get(&number).ok_or(Errno::STALE)?.name.clone();
        let place = match self.place(folder, &name) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(Errno::STALE),
            other => Arc::new(other?),
        };
        let key = self.key(&stat(&place)?, &place)?;
        let node = self.by_number.get_mut(&number).filter(|node| node.key == key).ok_or(Errno::STALE)?;
        node.place = Some(Arc::clone(&place));
        self.keep(number);
        Ok(place)
    }

    /// A folder in which names can be looked up.
    pub fn folder(&mut self, number: u64) -> Result<Arc<Descriptor>, Errno> {
        let held = self.hold(number)?;
        match held.kind {
            FileType::Directory if held.hollow => Err(Errno::NOENT),
            FileType::Directory => Ok(held.place),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Opens a name in a folder as a place, and gives others up if it must.
    pub fn place(&mut self, folder: &Descriptor, name: &CStr) -> Result<Descriptor, Errno> {
        loop {
            match self.share.place(folder, name) {
                Err(Errno::MFILE) if self.make_room() => {}
                other => return other,
            }
        }
    }

    /// Gives the number of what is at `place`, a new one or that which it has, and counts that the guest is told.
    pub fn tell(&mut self, place: Descriptor, parent: u64, name: &CStr) -> Result<(u64, Statx), Errno> {
        let stat = stat(&place)?;
        let key = self.key(&stat, &place)?;
        if let Some(&number) = self.by_key.get(&key)
            && let Some(node) = self.by_number.get_mut(&number)
        {
            node.told = node.told.saturating_add(1);
            node.used = true;
            if number != ROOT {
                (node.parent, node.name) = (parent, name.to_owned());
            }
            if node.place.is_none() {
                node.place = Some(Arc::new(place));
                self.keep(number);
            }
            return Ok((number, stat));
        }
        while self.by_number.len() >= self.max_nodes && self.evict() {}
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        let hollow = self.mounts.get(key.mount as usize).is_some_and(|mount| mount.pseudo);
        let (place, name) = (Some(Arc::new(place)), name.to_owned());
        self.by_key.insert(key, number);
        let node = Node { place, kind, hollow, key, told: 1, used: true, evictable: false, parent, name };
        self.by_number.insert(number, node);
        self.keep(number);
        Ok((number, stat))
    }

    /// Something has another name now.
    pub fn moved(&mut self, folder: &Descriptor, parent: u64, name: &CStr) {
        let Ok(stat) = stat_at(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
        let Ok(key) = self.key(&stat, folder) else { return };
        if let Some(number) = self.by_key.get(&key)
            && let Some(node) = self.by_number.get_mut(number)
        {
            (node.parent, node.name) = (parent, name.to_owned());
        }
    }

    /// The guest has forgotten what it was told `count` times. `true` where that was the last of it. The folder
    /// itself is never forgotten.
    pub fn forget(&mut self, number: u64, count: u64) -> bool {
        let Some(node) = self.by_number.get_mut(&number).filter(|_| number != ROOT) else { return false };
        node.told = node.told.saturating_sub(count);
        if node.told > 0 {
            return false;
        }
        self.remove(number);
        // Those that were forgotten are taken out before they are most of a list.
        let nodes = &self.by_number;
        if self.with_place.len() > 2 * self.held + 64 {
            self.with_place.retain(|number| nodes.get(number).is_some_and(|node| node.place.is_some()));
        }
        if self.without_place.len() > 2 * nodes.len() + 64 {
            self.without_place.retain(|number| nodes.contains_key(number));
        }
        true
    }

    fn remove(&mut self, number: u64) {
        if let Some(node) = self.by_number.remove(&number) {
            self.by_key.remove(&node.key);
            self.held -= usize::from(node.place.is_some());
        }
    }

    /// Removes a node that has no place. `false` where each has one.
    fn evict(&mut self) -> bool {
        while let Some(number) = self.without_place.pop_front() {
            let Some(node) = self.by_number.get_mut(&number) else { continue };
            node.evictable = false;
            if node.place.is_none() {
                self.remove(number);
                return true;
            }
        }
        false
    }

    /// Gives some places up. `false` where there are none.
    pub fn make_room(&mut self) -> bool {
        (0..GIVEN_UP).filter(|_| self.give_up()).count() > 0
    }

    /// A node has got a place.
    fn keep(&mut self, number: u64) {
        // The folder itself has no name to be found by.
        if number == ROOT {
            return;
        }
        self.held += 1;
        self.with_place.push_back(number);
        while self.held > self.max_places && self.give_up() {}
    }

    /// Gives up the first place that was not used since the last look.
    fn give_up(&mut self) -> bool {
        for _ in 0..2 * self.with_place.len() {
            let Some(number) = self.with_place.pop_front() else { return false };
            let Some(node) = self.by_number.get_mut(&number).filter(|node| node.place.is_some()) else { continue };
            if node.used {
                node.used = false;
                self.with_place.push_back(number);
            } else {
                node.place = None;
                self.held -= 1;
                if !std::mem::replace(&mut node.evictable, true) {
                    self.without_place.push_back(number);
                }
                return true;
            }
        }
        false
    }

    /// The inode number that the guest is shown. Those of the folder's own file system are the host's; of others they
    /// are moved apart, for a guest sees one device and takes equal numbers for one file.
    pub fn shown_ino(mount: MountIndex, ino: u64) -> u64 {
        ino ^ u64::from(mount) << 40
    }

    fn key(&mut self, stat: &Statx, place: &impl AsFd) -> Result<Key, Errno> {
        let born = (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec);
        Ok(Key { mount: self.mount(stat, place)?, ino: stat.stx_ino, born })
    }

    fn mount(&mut self, stat: &Statx, place: &impl AsFd) -> Result<MountIndex, Errno> {
        let (device, id) = ((stat.stx_dev_major, stat.stx_dev_minor), stat.stx_mnt_id);
        if let Some(known) = self.mounts.iter().position(|mount| mount.device == device && mount.id == id) {
            return Ok(known as MountIndex);
        }
        // The folder itself is never one: its share would not have been opened.
        let pseudo = !self.mounts.is_empty() && is_pseudo(place)?;
        self.mounts.push(Mount { device, id, pseudo });
        Ok((self.mounts.len() - 1) as MountIndex)
    }
}

#[cfg(test)]
#[path = "nodes_test.rs"]
mod tests;
