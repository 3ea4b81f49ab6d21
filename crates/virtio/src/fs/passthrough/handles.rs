//! What the guest has open: handles that it was given for OPEN, CREATE and OPENDIR, and for a guest that opens nothing
//! (`NO_OPEN_SUPPORT`) the few files and folders that it read last.

use std::collections::{HashMap, VecDeque};

use rustix::io::Errno;

use super::super::descriptors::Descriptor;
use super::folders::Folder;

/// Files and folders that are kept open for guests that open nothing.
const RECENT: usize = 64;

/// Files and folders that a guest has open at most, where there are that many descriptors.
pub const MAX_OPEN: usize = 1 << 16;

/// Folders that entries are kept of which were read in advance: some KiB each.
const AHEAD: usize = 64;

/// An open file or folder.
#[derive(Debug)]
pub enum Handle {
    File(Descriptor),
    Folder(Folder),
}

/// Open files and folders of a guest. A handle belongs to a node and is of no use with another.
#[derive(Debug, Default)]
pub struct Handles {
    given: HashMap<u64, (u64, Handle)>,
    last: u64,
    /// Handles of folders that were read in advance, and perhaps of some that are gone.
    ahead: VecDeque<u64>,
    recent: HashMap<u64, (u64, Handle)>,
    /// Counts uses: the smallest belongs to what was used longest ago.
    clock: u64,
}

impl Handles {
    /// `EMFILE` where as many are open as may be. To be asked before something is opened or made for a handle.
    pub fn check_room(&self) -> Result<(), Errno> {
        if self.given.len() < MAX_OPEN { Ok(()) } else { Err(Errno::MFILE) }
    }

    /// Gives a handle to a node. It is never 0, nor one that was used before.
    pub fn give(&mut self, node: u64, handle: Handle) -> u64 {
        self.last = self.last.wrapping_add(1);
        self.given.insert(self.last, (node, handle));
        self.last
    }

    /// Takes a handle back.
    pub fn release(&mut self, node: u64, number: u64) -> Result<Handle, Errno> {
        if self.given.get(&number).is_none_or(|(owner, _)| *owner != node) {
            return Err(Errno::BADF);
        }
        self.given.remove(&number).map(|(_, handle)| handle).ok_or(Errno::BADF)
    }

    /// An open file of a node.
    pub fn file(&self, node: u64, number: u64) -> Result<&Descriptor, Errno> {
        match self.given.get(&number) {
            Some((owner, Handle::File(file))) if *owner == node => Ok(file),
            _ => Err(Errno::BADF),
        }
    }

    /// An open folder of a node.
    pub fn folder(&mut self, node: u64, number: u64) -> Result<&mut Folder, Errno> {
        match self.given.get_mut(&number) {
            Some((owner, Handle::Folder(folder))) if *owner == node => Ok(folder),
            _ => Err(Errno::BADF),
        }
    }

    /// A folder was read in advance. Where too many were, the one that began first forgets what it has.
    pub fn reads_ahead(&mut self, number: u64) {
        if self.ahead.contains(&number) {
            return;
        }
        self.ahead.push_back(number);
        if self.ahead.len() > AHEAD
            && let Some(first) = self.ahead.pop_front()
            && let Some((_, Handle::Folder(folder))) = self.given.get_mut(&first)
        {
            folder.forget_ahead();
        }
    }

    /// What is open of a node for a guest that opens nothing, opened now if it is not.
    pub fn recent(&mut self, node: u64, open: impl FnOnce() -> Result<Handle, Errno>) -> Result<&mut Handle, Errno> {
        self.clock = self.clock.wrapping_add(1);
        if !self.recent.contains_key(&node) {
            if self.recent.len() >= RECENT
                && let Some(oldest) = self.recent.iter().min_by_key(|(_, (used, _))| *used).map(|(&node, _)| node)
            {
                self.recent.remove(&oldest);
            }
            self.recent.insert(node, (0, open()?));
        }
        let (used, handle) = self.recent.get_mut(&node).ok_or(Errno::BADF)?;
        *used = self.clock;
        Ok(handle)
    }

    /// The guest has forgotten a node.
    pub fn forget(&mut self, node: u64) {
        self.recent.remove(&node);
    }
}
