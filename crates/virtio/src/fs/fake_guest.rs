//! A driver of a shared folder, for tests: FUSE requests over a fake ring, one at a time.

use std::ffi::CString;

use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::protocol::*;
use super::{Fs, FsSpec};
use crate::event_loop::Polling;
use crate::testkit::{Bench, Part};

pub struct Guest {
    pub bench: Bench,
    unique: u64,
}

/// Features that Linux 6.12 has, as far as they matter here.
pub const LINUX: u32 = !0;

/// A request of this operation, before its parts.
pub fn header(opcode: u32, nodeid: u64, len: usize) -> InHeader {
    let len = (size_of::<InHeader>() + len) as u32;
    InHeader { len, opcode, unique: 0, nodeid, uid: 0, gid: 0, pid: 1, total_extlen: 0, padding: 0 }
}

pub fn text(name: &str) -> Vec<u8> {
    CString::new(name).unwrap().into_bytes_with_nul()
}

pub fn read_in(fh: u64, offset: u64, size: u32) -> ReadIn {
    ReadIn { fh, offset, size, read_flags: 0, lock_owner: 0, flags: 0, padding: 0 }
}

/// What a request is answered with: bytes behind the header, or an errno.
pub type Answer = Result<Vec<u8>, Errno>;

impl Guest {
    /// A guest that has not said INIT.
    pub fn silent(spec: &FsSpec) -> Self {
        Self { bench: Bench::start(&mut Fs::open(spec, "fs0".into()).unwrap(), 0), unique: 0 }
    }

    /// A guest that has mounted the folder.
    pub fn new(spec: &FsSpec) -> Self {
        Self::silent(spec).mounted()
    }

    /// As `new`, where the guest may have `descriptors` of the host at most.
    pub fn with_descriptors(spec: &FsSpec, descriptors: usize) -> Self {
        let mut fs = Fs::with_descriptors(spec, "fs0".into(), descriptors).unwrap();
        Self { bench: Bench::start(&mut fs, 0), unique: 0 }.mounted()
    }

    fn mounted(mut self) -> Self {
        self.init(MINOR, LINUX).unwrap();
        self
    }

    pub fn init(&mut self, minor: u32, flags: u32) -> Result<InitOut, Errno> {
        let asked = InitIn { major: MAJOR, minor, max_readahead: 128 << 10, flags };
        self.ask::<InitOut>(opcode::INIT, 0, &[asked.as_bytes()])
    }

    /// Puts bytes on a queue as they are, and gives what is written, with the length that the device claims.
    pub fn raw(&mut self, queue: usize, bytes: &[u8], room: usize) -> (u32, Vec<u8>) {
        let parts = [Part::Readable(bytes), Part::Writable(room)];
        let parts = if room == 0 { &parts[..1] } else { &parts[..] };
        self.bench.drivers[queue].add(parts).unwrap();
        let mut turn = self.bench.workers[0].ready(queue).unwrap();
        while turn == Polling::Again {
            turn = self.bench.workers[0].poll().unwrap();
        }
        let used = self.bench.drivers[queue].take_used().unwrap();
        assert!(used.written as usize <= room, "{} bytes in room for {room}", used.written);
        (used.written, used.data)
    }

    /// Asks, with room for `room` bytes of answer.
    pub fn call(&mut self, opcode: u32, nodeid: u64, parts: &[&[u8]], room: usize) -> Answer {
        self.unique += 1;
        let body = parts.concat();
        let head = InHeader { unique: self.unique, ..header(opcode, nodeid, body.len()) };
        let (written, data) = self.raw(1, &[head.as_bytes(), &body].concat(), OUT_HEADER + room);
        let (out, rest) = OutHeader::read_from_prefix(&data).unwrap();
        assert_eq!((out.len, out.unique), (written, self.unique));
        if out.error == 0 {
            Ok(rest[..written as usize - OUT_HEADER].to_vec())
        } else {
            assert_eq!(written as usize, OUT_HEADER, "an error comes alone");
            Err(Errno::from_raw_os_error(-out.error))
        }
    }

    /// Asks for a structure.
    pub fn ask<T: FromBytes + KnownLayout + Immutable>(
        &mut self,
        opcode: u32,
        nodeid: u64,
        parts: &[&[u8]],
    ) -> Result<T, Errno> {
        let bytes = self.call(opcode, nodeid, parts, size_of::<T>())?;
        Ok(T::read_from_bytes(&bytes).unwrap())
    }

    /// Tells, where no answer comes.
    pub fn forget(&mut self, nodeid: u64, count: u64) {
        let bytes = [header(opcode::FORGET, nodeid, 8).as_bytes(), &count.to_ne_bytes()].concat();
        assert_eq!(self.raw(0, &bytes, 0).0, 0);
    }

    /// What a name is: `NOENT` where there is nothing.
    pub fn look_up(&mut self, folder: u64, name: &str) -> Result<EntryOut, Errno> {
        let entry: EntryOut = self.ask(opcode::LOOKUP, folder, &[&text(name)])?;
        if entry.nodeid == 0 { Err(Errno::NOENT) } else { Ok(entry) }
    }

    /// The node of a path of names.
    pub fn walk(&mut self, path: &str) -> Result<u64, Errno> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |at, name| Ok(self.look_up(at, name)?.nodeid))
    }

    pub fn open(&mut self, node: u64, flags: i32) -> Result<u64, Errno> {
        let asked = OpenIn { flags: flags as u32, open_flags: 0 };
        Ok(self.ask::<OpenOut>(opcode::OPEN, node, &[asked.as_bytes()])?.fh)
    }

    pub fn create(&mut self, folder: u64, name: &str, flags: i32, mode: u32) -> Result<(EntryOut, u64), Errno> {
        let asked = CreateIn { flags: flags as u32, mode, umask: 0o22, open_flags: 0 };
        let room = size_of::<EntryOut>() + size_of::<OpenOut>();
        let bytes = self.call(opcode::CREATE, folder, &[asked.as_bytes(), &text(name)], room)?;
        let (entry, rest) = EntryOut::read_from_prefix(&bytes).unwrap();
        Ok((entry, OpenOut::read_from_bytes(rest).unwrap().fh))
    }

    pub fn read(&mut self, node: u64, fh: u64, offset: u64, size: u32) -> Answer {
        self.call(opcode::READ, node, &[read_in(fh, offset, size).as_bytes()], size as usize)
    }

    pub fn write(&mut self, node: u64, fh: u64, offset: u64, data: &[u8]) -> Result<u32, Errno> {
        let size = data.len() as u32;
        let asked = WriteIn { fh, offset, size, write_flags: 0, lock_owner: 0, flags: 0, padding: 0 };
        Ok(self.ask::<WriteOut>(opcode::WRITE, node, &[asked.as_bytes(), data])?.size)
    }

    pub fn release(&mut self, opcode: u32, node: u64, fh: u64) -> Result<(), Errno> {
        let asked = ReleaseIn { fh, flags: 0, release_flags: 0, lock_owner: 0 };
        self.call(opcode, node, &[asked.as_bytes()], 0).map(drop)
    }

    pub fn attributes(&mut self, node: u64) -> Result<Attr, Errno> {
        Ok(self.ask::<AttrOut>(opcode::GETATTR, node, &[&[0; 16]])?.attr)
    }

    /// Sets what `change` fills in.
    pub fn set(&mut self, node: u64, valid: u32, change: impl FnOnce(&mut SetattrIn)) -> Result<Attr, Errno> {
        let mut asked = SetattrIn::read_from_bytes(&[0; size_of::<SetattrIn>()]).unwrap();
        asked.valid = valid;
        change(&mut asked);
        Ok(self.ask::<AttrOut>(opcode::SETATTR, node, &[asked.as_bytes()])?.attr)
    }

    /// A whole file, opened or not as the guest does.
    pub fn content(&mut self, node: u64) -> Answer {
        let fh = match self.open(node, libc::O_RDONLY) {
            Err(Errno::NOSYS) => 0,
            other => other?,
        };
        let mut all = Vec::new();
        loop {
            let some = self.read(node, fh, all.len() as u64, 64 << 10)?;
            if some.is_empty() {
                break;
            }
            all.extend(some);
        }
        if fh != 0 {
            self.release(opcode::RELEASE, node, fh)?;
        }
        Ok(all)
    }

    /// All entries of a folder, `room` bytes at a time: name, node (READDIRPLUS), inode number and kind.
    pub fn list(&mut self, folder: u64, opcode: u32, room: u32) -> Result<Vec<Listed>, Errno> {
        let fh = match self.ask::<OpenOut>(opcode::OPENDIR, folder, &[&[0; 8]]) {
            Err(Errno::NOSYS) => 0,
            other => other?.fh,
        };
        let mut listed: Vec<Listed> = Vec::new();
        loop {
            let offset = listed.last().map_or(0, |last| last.next);
            let bytes = self.call(opcode, folder, &[read_in(fh, offset, room).as_bytes()], room as usize)?;
            let mut rest = &bytes[..];
            if rest.is_empty() {
                break;
            }
            while !rest.is_empty() {
                let mut entry = EntryOut::default();
                if opcode == opcode::READDIRPLUS {
                    (entry, rest) = EntryOut::read_from_prefix(rest).unwrap();
                }
                let (dirent, more) = Dirent::read_from_prefix(rest).unwrap();
                let length = dirent.namelen as usize;
                let name = String::from_utf8(more[..length].to_vec()).unwrap();
                let padded = (size_of::<Dirent>() + length).next_multiple_of(8) - size_of::<Dirent>();
                rest = &more[padded..];
                listed.push(Listed { name, entry, ino: dirent.ino, kind: dirent.kind, next: dirent.off });
            }
        }
        if fh != 0 {
            self.release(opcode::RELEASEDIR, folder, fh)?;
        }
        Ok(listed)
    }
}

#[derive(Debug, Clone)]
pub struct Listed {
    pub name: String,
    pub entry: EntryOut,
    pub ino: u64,
    pub kind: u32,
    pub next: u64,
}
