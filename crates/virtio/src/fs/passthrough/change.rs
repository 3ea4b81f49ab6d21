//! What changes a folder: names come and go, attributes are set.
//!
//! New files belong to the user who runs illico, not to the guest's user who made them. The bits that lend rights (set-user-id,
//! and set-group-id on files) are never set: a guest must not leave a program on the host that runs with another user's rights.

use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, chmodat, fchmod, fstat,
    ftruncate, linkat, mkdirat, mknodat, renameat_with, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use super::super::descriptors::Descriptor;
use super::super::protocol::*;
use super::super::request::Name;
use super::nodes::Held;
use super::share::stat;
use super::{Passthrough, at};

/// Whether a mode has a bit by which a program runs with the rights of its owner or group.
fn lends_rights(mode: u32) -> bool {
    mode & (Mode::SUID | Mode::SGID).as_raw_mode() != 0
}

/// Whether the kernel leaves such bits in place when this thread writes.
fn keeps_rights_when_writing() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::FSETID))
}

impl Passthrough {
    /// The mode of a new file or folder.
    pub(super) fn new_mode(mode: u32) -> Mode {
        Mode::from_raw_mode(mode & 0o1777)
    }

    /// Gives a new file what the host's umask took from it: the guest has applied its own.
    pub(super) fn settle_mode(&self, file: &Descriptor, mode: Mode) -> Result<(), Errno> {
        if mode.as_raw_mode() & self.share.umask == 0 { Ok(()) } else { fchmod(file, mode) }
    }

    /// Removes the set-user-id and set-group-id bits of a file before its content changes, whatever the guest's driver
    /// asked for.
    ///
    /// The kernel does this by itself for writers without `CAP_FSETID` only, so not for illico run by root: a guest
    /// would put its own program into a file that runs as root on the host. (`security.capability` is removed by the
    /// kernel on each write by any user.) The bits go first, so that no moment is left in which the file has both.
    pub(super) fn kill_privileges(&self, file: &impl AsFd) -> Result<(), Errno> {
        let mode = fstat(file)?.st_mode;
        if !lends_rights(mode) {
            return Ok(());
        }
        match fchmod(file, Mode::from_raw_mode(mode & 0o1777)) {
            // Another user's file: the kernel removes the bits when this process writes.
            Err(Errno::PERM) if !keeps_rights_when_writing() => Ok(()),
            done => done,
        }
    }

    pub fn make_folder(&mut self, folder: u64, name: Name<'_>, mode: u32) -> Result<EntryOut, Errno> {
        let mode = Self::new_mode(mode);
        let parent = self.nodes.folder(folder)?;
        self.share.as_owner(&parent, || mkdirat(&parent, name.text(), mode))?;
        self.find_made(folder, name, mode)
    }

    /// Tells the guest of what was just made, and gives it the bits that the host's umask took.
    fn find_made(&mut self, folder: u64, name: Name<'_>, mode: Mode) -> Result<EntryOut, Errno> {
        let entry = self.find(folder, name)?;
        // With a set-group-id parent the kernel passes the bit on, and it stays.
        if mode.as_raw_mode() & self.share.umask != 0 {
            let node = self.nodes.hold(entry.nodeid)?;
            let inherited = entry.attr.mode & Mode::SGID.as_raw_mode();
            self.change_mode(&node, mode.as_raw_mode() | inherited)?;
            return Ok(EntryOut { attr: self.attr(&node)?, ..entry });
        }
        Ok(entry)
    }

    /// Makes a regular file, a FIFO or a unix socket. A device node would be a device of the host.
    ///
    /// FIFOs and sockets work among the programs of the guest, which keeps them itself: on the host they are only
    /// names, which this process never opens.
    pub fn make_node(&mut self, folder: u64, name: Name<'_>, mode: u32) -> Result<EntryOut, Errno> {
        let kind = FileType::from_raw_mode(mode);
        let mode = Self::new_mode(mode);
        let parent = self.nodes.folder(folder)?;
        match kind {
            FileType::RegularFile => {}
            FileType::Fifo | FileType::Socket => {
                self.share.as_owner(&parent, || mknodat(&parent, name.text(), kind, mode, 0))?;
                return self.find_made(folder, name, mode);
            }
            _ => return Err(Errno::PERM),
        }
        let make = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = self.make_file(&parent, name, make, mode)?;
        self.tell_made(&file, folder, name)
    }

    pub fn make_link(&mut self, folder: u64, name: Name<'_>, text: &CStr) -> Result<EntryOut, Errno> {
        let parent = self.nodes.folder(folder)?;
        self.share.as_owner(&parent, || symlinkat(text, &parent, name.text()))?;
        self.find(folder, name)
    }

    /// Gives a file another name.
    pub fn link(&mut self, node: u64, folder: u64, name: Name<'_>) -> Result<EntryOut, Errno> {
        let parent = self.nodes.folder(folder)?;
        let node = self.nodes.hold(node)?;
        if node.kind == FileType::Directory {
            return Err(Errno::PERM);
        }
        // The place below /proc leads to the node itself, a symbolic link too.
        let link = || linkat(&self.share.places, at(&node.place), &parent, name.text(), AtFlags::SYMLINK_FOLLOW);
        self.share.as_owner(&parent, link)?;
        self.find(folder, name)
    }

    pub fn remove(&mut self, folder: u64, name: Name<'_>) -> Result<(), Errno> {
        let parent = self.nodes.folder(folder)?;
        self.share.as_owner(&parent, || unlinkat(&parent, name.text(), AtFlags::empty()))
    }

    pub fn remove_folder(&mut self, folder: u64, name: Name<'_>) -> Result<(), Errno> {
        let parent = self.nodes.folder(folder)?;
        self.share.as_owner(&parent, || unlinkat(&parent, name.text(), AtFlags::REMOVEDIR))
    }

    pub fn rename(
        &mut self,
        (from, name): (u64, Name<'_>),
        (to, to_name): (u64, Name<'_>),
        flags: u32,
    ) -> Result<(), Errno> {
        let flags = RenameFlags::from_bits_retain(flags);
        // A whiteout is a device node.
        if !(RenameFlags::NOREPLACE | RenameFlags::EXCHANGE).contains(flags) {
            return Err(Errno::INVAL);
        }
        let (from_folder, to_folder) = (self.nodes.folder(from)?, self.nodes.folder(to)?);
        let rename = || renameat_with(&from_folder, name.text(), &to_folder, to_name.text(), flags);
        self.share.as_owner(&from_folder, || self.share.as_owner(&to_folder, rename))?;
        self.nodes.moved(&to_folder, to, to_name.text());
        if flags.contains(RenameFlags::EXCHANGE) {
            self.nodes.moved(&from_folder, from, name.text());
        }
        Ok(())
    }

    pub fn set_attributes(&mut self, number: u64, asked: SetattrIn) -> Result<AttrOut, Errno> {
        let node = &self.nodes.hold(number)?;
        if node.hollow {
            return Err(Errno::ROFS);
        }
        if asked.valid & (fattr::UID | fattr::GID) != 0 {
            self.set_owner(node, asked)?;
        }
        if asked.valid & fattr::SIZE != 0 {
            self.set_size(number, node, asked)?;
        }
        if asked.valid & fattr::MODE != 0 {
            self.change_mode(node, asked.mode)?;
        }
        if asked.valid & (fattr::ATIME | fattr::MTIME) != 0 {
            self.set_times(node, asked)?;
        }
        self.attributes(number)
    }

    /// An owner can only be set to the one that a file has already. Like any chown(2), that removes the bits that lend
    /// rights.
    fn set_owner(&self, node: &Held, asked: SetattrIn) -> Result<(), Errno> {
        let stat = stat(&node.place)?;
        let same = |flag: u32, wanted: u32, is: u32| asked.valid & flag == 0 || wanted == is;
        let all = same(fattr::UID, asked.uid, self.share.shown_uid(stat.stx_uid))
            && same(fattr::GID, asked.gid, self.share.shown_gid(stat.stx_gid));
        if !all {
            return Err(Errno::PERM);
        }
        let mode = u32::from(stat.stx_mode);
        if node.kind == FileType::RegularFile && lends_rights(mode) { self.change_mode(node, mode) } else { Ok(()) }
    }

    fn set_size(&mut self, number: u64, node: &Held, asked: SetattrIn) -> Result<(), Errno> {
        if node.kind != FileType::RegularFile {
            return Err(if node.kind == FileType::Directory { Errno::ISDIR } else { Errno::INVAL });
        }
        if self.share.largest.is_some_and(|largest| asked.size > largest) {
            return Err(Errno::FBIG);
        }
        let opened;
        let file = if asked.valid & fattr::FH != 0 {
            self.handles.file(number, asked.fh)?
        } else {
            opened = self.open(node, OFlags::WRONLY)?;
            &opened
        };
        self.kill_privileges(file)?;
        ftruncate(file, asked.size)
    }

    fn change_mode(&self, node: &Held, mode: u32) -> Result<(), Errno> {
        let kept = match node.kind {
            FileType::Symlink => return Err(Errno::OPNOTSUPP),
            FileType::Directory => 0o3777,
            _ => 0o1777,
        };
        chmodat(&self.share.places, at(&node.place), Mode::from_raw_mode(mode & kept), AtFlags::empty())
    }

    fn set_times(&self, node: &Held, asked: SetattrIn) -> Result<(), Errno> {
        let time = |set: u32, now: u32, seconds: u64, nanoseconds: u32| {
            let tv_nsec = match (asked.valid & set, asked.valid & now) {
                (0, _) => UTIME_OMIT,
                (_, 0) => i64::from(nanoseconds),
                _ => UTIME_NOW,
            };
            Timespec { tv_sec: seconds as i64, tv_nsec }
        };
        let times = Timestamps {
            last_access: time(fattr::ATIME, fattr::ATIME_NOW, asked.atime, asked.atimensec),
            last_modification: time(fattr::MTIME, fattr::MTIME_NOW, asked.mtime, asked.mtimensec),
        };
        utimensat(&self.share.places, at(&node.place), &times, AtFlags::empty())
    }
}
