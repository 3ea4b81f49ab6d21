//! A folder of the host as a root file system: read, never changed.
//!
//! Everything is opened through its folder and no symbolic link is followed. What belongs to the user who reads is the root
//! user's in the image, unless that user is root: a plain user who unpacked a root file system owns all of it.
//! Sockets are left out, and attributes of what cannot be opened (links, devices).

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use illico_archive::{Exact, Warning};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::fs::{fgetxattr, flistxattr, fstat, major, minor, openat, readlinkat, statat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::digest::{Digest, Summed};
use crate::erofs::xattr_index;
use crate::error::Error;
use crate::layer::Root;
use crate::progress::{Progress, Watch};
use crate::tar::{Entry, Segment, Type};
use crate::tree::{Device, Timestamp};

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that is being read into a root.
struct Walk<'a> {
    folder: &'a Path,
    root: &'a mut Root,
    watch: Watch<'a>,
    /// Names of inodes that have several, by device and inode.
    seen: HashMap<(u64, u64), Vec<u8>>,
    /// Who reads, if not root.
    own: Option<(u32, u32)>,
    sum: Sha256,
}

/// A directory on the way down.
struct Level {
    directory: OwnedFd,
    path: Vec<u8>,
    /// In reverse order.
    names: Vec<Vec<u8>>,
}

/// Puts all of a folder into `root`, and says what the digest of all of it is.
pub(crate) fn add(folder: &Path, root: &mut Root, watch: Watch<'_>) -> Result<Digest, Error> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let own = (!uid.is_root()).then(|| (uid.as_raw(), gid.as_raw()));
    let mut walk = Walk { folder, root, watch, seen: HashMap::new(), own, sum: Sha256::new() };
    walk.all()?;
    Ok(Digest::from(walk.sum))
}

impl Walk<'_> {
    fn all(&mut self) -> Result<(), Error> {
        // The folder itself may be behind a link: the user named it.
        let top = openat(CWD, self.folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let top = top.map_err(|errno| self.failed("open", b"", errno))?;
        let stat = fstat(&top).map_err(|errno| self.failed("read", b"", errno))?;
        let entry = self.entry(b"", Type::Directory, &stat, Some(top.as_fd()));
        self.put(&entry, &mut std::io::empty())?;
        let mut levels = vec![self.level(top, Vec::new())?];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.pop() else {
                levels.pop();
                continue;
            };
            let slash: &[u8] = if level.path.is_empty() { b"" } else { b"/" };
            let path = [&level.path, slash, &name].concat();
            match self.one(level.directory.as_fd(), &name, &path) {
                Ok(Some(directory)) => levels.push(self.level(directory, path)?),
                Ok(None) => {}
                Err(error) if error.is_gone() => self.warn(&path, |path| Warning::Gone(path)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn level(&self, directory: OwnedFd, path: Vec<u8>) -> Result<Level, Error> {
        let entries = Dir::read_from(&directory).map_err(|errno| self.failed("list", &path, errno))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|errno| self.failed("list", &path, errno))?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Level { directory, path, names })
    }

    /// Puts one entry into the root; gives a directory back, to be gone into.
    fn one(&mut self, directory: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<Option<OwnedFd>, Error> {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.map_err(|errno| self.failed("read", path, errno))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let inode = (stat.st_dev, stat.st_ino);
        let may_have_links = stat.st_nlink > 1 && kind != FileType::Directory;
        if let Some(first) = self.seen.get(&inode).filter(|_| may_have_links) {
            let link = first.clone();
            let entry = Entry { link, ..self.entry(path, Type::HardLink, &stat, None) };
            self.put(&entry, &mut std::io::empty())?;
            return Ok(None);
        }
        let open = |flags| openat(directory, name, OPEN | flags, Mode::empty());
        match kind {
            FileType::Directory => {
                let below = open(OFlags::DIRECTORY).map_err(|errno| self.failed("open", path, errno))?;
                let entry = self.entry(path, Type::Directory, &stat, Some(below.as_fd()));
                self.put(&entry, &mut std::io::empty())?;
                return Ok(Some(below));
            }
            FileType::RegularFile => {
                // Nonblocking: what was a file a moment ago may be a pipe by now.
                let file = open(OFlags::NONBLOCK).map_err(|errno| self.failed("open", path, errno))?;
                // The length may have changed since.
                let stat = fstat(&file).map_err(|errno| self.failed("read", path, errno))?;
                let mut entry = self.entry(path, Type::File, &stat, Some(file.as_fd()));
                entry.size = u64::try_from(stat.st_size).unwrap_or_default();
                entry.segments = vec![Segment { offset: 0, len: entry.size }];
                let mut content = Exact::new(File::from(file), entry.size);
                self.put(&entry, &mut content)?;
                if content.has_changed() {
                    self.warn(path, |path| Warning::Changed(path));
                }
            }
            FileType::Symlink => {
                let link = readlinkat(directory, name, Vec::new());
                let link = link.map_err(|errno| self.failed("read", path, errno))?.into_bytes();
                let entry = Entry { link, ..self.entry(path, Type::Symlink, &stat, None) };
                self.put(&entry, &mut std::io::empty())?;
            }
            FileType::CharacterDevice => self.without_data(path, Type::CharDevice, &stat)?,
            FileType::BlockDevice => self.without_data(path, Type::BlockDevice, &stat)?,
            FileType::Fifo => self.without_data(path, Type::Fifo, &stat)?,
            FileType::Socket | FileType::Unknown => return Ok(None),
        }
        if may_have_links {
            self.seen.insert(inode, path.to_vec());
        }
        Ok(None)
    }

    fn warn(&mut self, path: &[u8], warning: impl FnOnce(&Path) -> Warning<'_>) {
        let path = self.folder.join(OsStr::from_bytes(path));
        (self.watch)(Progress::Warning(&warning(&path).to_string()));
    }

    fn without_data(&mut self, path: &[u8], kind: Type, stat: &Stat) -> Result<(), Error> {
        let entry = self.entry(path, kind, stat, None);
        self.put(&entry, &mut std::io::empty())
    }

    fn entry(&self, path: &[u8], kind: Type, stat: &Stat, file: Option<BorrowedFd<'_>>) -> Entry {
        let (own_uid, own_gid) = self.own.unzip();
        Entry {
            path: path.to_vec(),
            link: Vec::new(),
            kind,
            mode: (stat.st_mode & 0o7777) as u16,
            uid: if Some(stat.st_uid) == own_uid { 0 } else { stat.st_uid },
            gid: if Some(stat.st_gid) == own_gid { 0 } else { stat.st_gid },
            mtime: Timestamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 },
            device: match kind {
                Type::CharDevice | Type::BlockDevice => {
                    Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) }
                }
                _ => Device::default(),
            },
            xattrs: file.map(xattrs).unwrap_or_default(),
            size: 0,
            segments: Vec::new(),
            offset: 0,
        }
    }

    fn put(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), Error> {
        let mut data = Summed::new(data);
        let done = self.root.add_entry(entry, &mut data);
        done.map_err(|source| Error::Entry { image: self.folder.display().to_string(), source })?;
        let (content, len) = data.finish();
        (self.watch)(Progress::Advance(len));
        self.sum_up(entry, &content);
        Ok(())
    }

    /// Everything that goes into the image goes into its digest.
    fn sum_up(&mut self, entry: &Entry, content: &Digest) {
        let mut field = |bytes: &[u8]| {
            self.sum.update((bytes.len() as u64).to_le_bytes());
            self.sum.update(bytes);
        };
        field(&entry.path);
        field(&entry.link);
        for (name, value) in &entry.xattrs {
            field(name);
            field(value);
        }
        let Device { major, minor } = entry.device;
        let numbers =
            [entry.kind as u32, entry.mode.into(), entry.uid, entry.gid, entry.mtime.nanoseconds, major, minor];
        field(&numbers.map(u32::to_le_bytes).concat());
        field(&entry.mtime.seconds.to_le_bytes());
        field(content.bytes());
    }

    fn failed(&self, what: &'static str, path: &[u8], errno: Errno) -> Error {
        let path = self.folder.join(OsStr::from_bytes(path));
        Error::File { what, path, source: errno.into() }
    }
}

/// The attributes that can be kept. The host's SELinux labels say nothing in a guest.
fn xattrs(file: BorrowedFd<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 64 << 10];
    let mut value = vec![0; 64 << 10];
    let len = flistxattr(file, &mut names[..]).unwrap_or_default();
    let mut all = BTreeMap::new();
    for name in names.get(..len).unwrap_or_default().split(|&byte| byte == 0) {
        if xattr_index(name).is_none() || name == b"security.selinux" {
            continue;
        }
        if let Ok(len) = fgetxattr(file, name, &mut value[..]) {
            all.insert(name.to_vec(), value.get(..len).unwrap_or_default().to_vec());
        }
    }
    all
}

#[cfg(test)]
#[path = "folder_test.rs"]
mod tests;
