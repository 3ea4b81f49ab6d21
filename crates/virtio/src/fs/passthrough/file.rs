//! Files: opened, read and written between the host's page cache and guest memory with no copy in between.

use illico_memory::Buffers;
use rustix::fs::{
    FallocateFlags, FileType, Mode, OFlags, SeekFrom, copy_file_range, fallocate, fdatasync, fsync, openat, seek,
};
use rustix::io::Errno;

use super::super::descriptors::Descriptor;
use super::super::protocol::*;
use super::super::request::Name;
use super::folders::Folder;
use super::handles::Handle;
use super::nodes::Held;
use super::{Passthrough, at, with_room};

/// Bytes that one COPY_FILE_RANGE copies at most: others wait meanwhile, and the guest asks for the rest.
const MAX_COPIED: u64 = 16 << 20;

impl Passthrough {
    pub fn open_file(&mut self, node: u64, asked: OpenIn) -> Result<OpenOut, Errno> {
        let flags = self.wanted(asked.flags)?;
        if self.stateless {
            return Err(Errno::NOSYS);
        }
        let place = self.nodes.hold(node)?;
        if place.kind == FileType::Directory {
            return Err(Errno::ISDIR);
        }
        self.handles.check_room()?;
        let file = self.open_to_work(&place, flags)?;
        let fh = self.handles.give(node, Handle::File(file));
        Ok(OpenOut { fh, open_flags: fopen::KEEP_CACHE, padding: 0 })
    }

    fn open_to_work(&mut self, node: &Held, flags: OFlags) -> Result<Descriptor, Errno> {
        let file = self.open(node, flags)?;
        // An empty file that lends rights does no harm, and nothing can be written through it before this.
        if flags.contains(OFlags::TRUNC) {
            self.kill_privileges(&file)?;
        }
        Ok(file)
    }

    /// Makes a regular file and opens it, or opens the one that is there.
    pub fn create(&mut self, folder: u64, name: Name<'_>, asked: CreateIn) -> Result<(EntryOut, OpenOut), Errno> {
        let flags = self.wanted(asked.flags)?;
        let mode = Self::new_mode(asked.mode);
        self.handles.check_room()?;
        let parent = self.nodes.folder(folder)?;
        let make = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let (entry, file) = match self.make_file(&parent, name, make, mode) {
            Ok(file) => (self.tell_made(&file, folder, name)?, file),
            // Another process made it meanwhile.
            Err(Errno::EXIST) if asked.flags & OFlags::EXCL.bits() == 0 => {
                let entry = self.find(folder, name)?;
                let opened = self.nodes.hold(entry.nodeid).and_then(|node| match node.kind {
                    FileType::RegularFile => self.open_to_work(&node, flags),
                    FileType::Directory => Err(Errno::ISDIR),
                    // A walk that the guest has to begin anew.
                    _ => Err(Errno::STALE),
                });
                let file = opened.inspect_err(|_| self.forget(entry.nodeid, 1))?;
                (entry, file)
            }
            Err(error) => return Err(error),
        };
        let fh = self.handles.give(entry.nodeid, Handle::File(file));
        Ok((entry, OpenOut { fh, open_flags: fopen::KEEP_CACHE, padding: 0 }))
    }

    pub(super) fn make_file(
        &mut self,
        parent: &Descriptor,
        name: Name<'_>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<Descriptor, Errno> {
        let make = || self.share.pool.open(|| openat(parent, name.text(), flags, mode));
        let open = || self.share.as_owner(parent, make);
        let file = with_room(&mut self.nodes, open)?;
        self.settle_mode(&file, mode)?;
        Ok(file)
    }

    /// Tells the guest of a file that it has just made: that one, whatever has its name by now.
    pub(super) fn tell_made(&mut self, file: &Descriptor, folder: u64, name: Name<'_>) -> Result<EntryOut, Errno> {
        let (flags, mode) = (OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let open = || self.share.pool.open(|| openat(&self.share.places, at(file), flags, mode));
        let place = with_room(&mut self.nodes, open)?;
        self.tell(place, folder, name)
    }

    /// What a guest may ask of an open file. Direct I/O is left to the guest: its alignment means nothing here.
    fn wanted(&self, flags: u32) -> Result<OFlags, Errno> {
        let passed = OFlags::RWMODE | OFlags::APPEND | OFlags::TRUNC | OFlags::DSYNC | OFlags::SYNC;
        let flags = OFlags::from_bits_truncate(flags).intersection(passed);
        let reads = flags.intersection(OFlags::RWMODE) == OFlags::RDONLY && !flags.contains(OFlags::TRUNC);
        if self.share.readonly && !reads { Err(Errno::ROFS) } else { Ok(flags) }
    }

    pub fn release_file(&mut self, node: u64, fh: u64) -> Result<(), Errno> {
        self.handles.release(node, fh).map(drop)
    }

    /// The open file that a request means.
    fn opened(&mut self, node: u64, fh: u64) -> Result<&Descriptor, Errno> {
        if !self.stateless {
            return self.handles.file(node, fh);
        }
        match self.recent(node)? {
            Handle::File(file) => Ok(file),
            Handle::Folder(_) => Err(Errno::ISDIR),
        }
    }

    /// What is open of a node for a guest that opens nothing.
    pub(super) fn recent(&mut self, number: u64) -> Result<&mut Handle, Errno> {
        let Self { share, nodes, handles, .. } = self;
        let node = nodes.hold(number)?;
        handles.recent(number, || {
            let file = with_room(nodes, || super::open(share, &node, OFlags::RDONLY))?;
            Ok(if node.kind == FileType::Directory { Handle::Folder(Folder::new(file)) } else { Handle::File(file) })
        })
    }

    /// Fills `room` from a file, as far as the file goes.
    pub fn read(&mut self, node: u64, asked: ReadIn, room: &mut Buffers) -> Result<usize, Errno> {
        let file = self.opened(node, asked.fh)?;
        let mut position = asked.offset;
        let mut done = 0;
        while !room.is_empty() {
            match room.read_from(std::os::fd::AsFd::as_fd(file), Some(position)) {
                Ok(0) => break,
                Ok(count) => {
                    done += count;
                    position = position.saturating_add(count as u64);
                    room.advance(count).map_err(|_| Errno::IO)?;
                }
                Err(error) => match Errno::from_io_error(&error).unwrap_or(Errno::INVAL) {
                    Errno::INTR => {}
                    // What was read before counts; the guest meets the error again when it goes on.
                    _ if done > 0 => break,
                    errno => return Err(errno),
                },
            }
        }
        Ok(done)
    }

    /// Writes `data` to a file.
    pub fn write(&mut self, node: u64, asked: WriteIn, data: &mut Buffers) -> Result<usize, Errno> {
        let file = self.handles.file(node, asked.fh)?;
        self.share.fits(file, asked.offset, data.len() as u64)?;
        self.kill_privileges(file)?;
        let mut position = asked.offset;
        let mut done = 0;
        while !data.is_empty() {
            match data.write_to(std::os::fd::AsFd::as_fd(file), Some(position)) {
                Ok(0) => break,
                Ok(count) => {
                    done += count;
                    position = position.saturating_add(count as u64);
                    data.advance(count).map_err(|_| Errno::IO)?;
                }
                Err(error) => match Errno::from_io_error(&error).unwrap_or(Errno::INVAL) {
                    Errno::INTR => {}
                    _ if done > 0 => break,
                    errno => return Err(errno),
                },
            }
        }
        Ok(done)
    }

    /// Of a file, or of a folder that was opened.
    pub fn sync(&mut self, node: u64, asked: FsyncIn) -> Result<(), Errno> {
        // Nothing was written through a guest that opens nothing.
        if self.stateless {
            return self.nodes.hold(node).map(drop);
        }
        let data_only = asked.fsync_flags & FSYNC_FDATASYNC != 0;
        let sync = |file: &Descriptor| if data_only { fdatasync(file) } else { fsync(file) };
        match self.handles.file(node, asked.fh) {
            Ok(file) => sync(file),
            Err(_) => sync(self.handles.folder(node, asked.fh)?.file()),
        }
    }

    pub fn allocate(&mut self, node: u64, asked: FallocateIn) -> Result<(), Errno> {
        let known = FallocateFlags::KEEP_SIZE | FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE;
        let mode = FallocateFlags::from_bits_retain(asked.mode);
        if !known.contains(mode) {
            return Err(Errno::OPNOTSUPP);
        }
        let file = self.handles.file(node, asked.fh)?;
        self.share.fits(file, asked.offset, asked.length)?;
        self.kill_privileges(file)?;
        fallocate(file, mode, asked.offset, asked.length)
    }

    /// Where data or a hole begins. All other positions are the guest's own.
    pub fn seek(&mut self, node: u64, asked: LseekIn) -> Result<LseekOut, Errno> {
        let position = match i32::try_from(asked.whence) {
            Ok(libc::SEEK_DATA) => SeekFrom::Data(asked.offset),
            Ok(libc::SEEK_HOLE) => SeekFrom::Hole(asked.offset),
            _ => return Err(Errno::INVAL),
        };
        Ok(LseekOut { offset: seek(self.opened(node, asked.fh)?, position)? })
    }

    pub fn copy(&mut self, node: u64, asked: CopyFileRangeIn) -> Result<usize, Errno> {
        if asked.flags != 0 {
            return Err(Errno::INVAL);
        }
        let from = self.handles.file(node, asked.fh_in)?;
        let to = self.handles.file(asked.nodeid_out, asked.fh_out)?;
        let (mut off_in, mut off_out) = (asked.off_in, asked.off_out);
        let length = usize::try_from(asked.len.min(MAX_COPIED)).map_err(|_| Errno::INVAL)?;
        self.share.fits(to, off_out, length as u64)?;
        self.kill_privileges(to)?;
        copy_file_range(from, Some(&mut off_in), to, Some(&mut off_out), length)
    }
}
