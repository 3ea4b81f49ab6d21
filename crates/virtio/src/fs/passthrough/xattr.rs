//! Extended attributes: those of users (`user.*`). What lends rights or labels files (`security.*`, `trusted.*`,
//! `system.*`) is neither shown nor taken: it would mean something to the host.

use std::ffi::CStr;
use std::fmt::Write;

use rustix::fs::{FileType, XattrFlags, getxattr, listxattr, removexattr, setxattr};
use rustix::io::Errno;

use super::Passthrough;

/// Bytes of one value, and of one list of names, that Linux has (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const MAX_VALUE: usize = 64 << 10;

/// What fits in the room that the guest has, or how much it would be.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Bytes(Vec<u8>),
    Size(u32),
}

impl Answer {
    fn new(bytes: Vec<u8>, room: u32) -> Result<Self, Errno> {
        let size = u32::try_from(bytes.len()).map_err(|_| Errno::TOOBIG)?;
        match room {
            0 => Ok(Self::Size(size)),
            room if room < size => Err(Errno::RANGE),
            _ => Ok(Self::Bytes(bytes)),
        }
    }
}

impl Passthrough {
    pub fn attribute(&mut self, node: u64, name: &CStr, room: u32) -> Result<Answer, Errno> {
        let path = self.path_for(node)?;
        if !is_ours(name.to_bytes()) {
            return Err(Errno::NODATA);
        }
        let mut value = vec![0; MAX_VALUE];
        let length = getxattr(path, name, &mut value[..])?;
        value.truncate(length);
        Answer::new(value, room)
    }

    pub fn attribute_names(&mut self, node: u64, room: u32) -> Result<Answer, Errno> {
        let path = self.path_for(node)?;
        let mut names = vec![0; MAX_VALUE];
        let length = listxattr(path, &mut names[..])?;
        names.truncate(length);
        Answer::new(
            names.split_inclusive(|&byte| byte == 0).filter(|name| is_ours(name)).flatten().copied().collect(),
            room,
        )
    }

    pub fn set_attribute(&mut self, node: u64, name: &CStr, value: &[u8], flags: u32) -> Result<(), Errno> {
        let path = self.path_for(node)?;
        if !is_ours(name.to_bytes()) {
            return Err(Errno::PERM);
        }
        let flags = XattrFlags::from_bits(flags).ok_or(Errno::INVAL)?;
        setxattr(path, name, value, flags)
    }

    pub fn remove_attribute(&mut self, node: u64, name: &CStr) -> Result<(), Errno> {
        let path = self.path_for(node)?;
        if !is_ours(name.to_bytes()) {
            return Err(Errno::PERM);
        }
        removexattr(path, name)
    }

    /// A node's place as a path: the kernel has no call for attributes of places. Linux has `user.*` for files and folders
    /// only.
    fn path_for(&mut self, node: u64) -> Result<String, Errno> {
        if !self.share.xattr {
            return Err(Errno::NOSYS);
        }
        let node = self.nodes.hold(node)?;
        if node.hollow || !matches!(node.kind, FileType::RegularFile | FileType::Directory) {
            return Err(Errno::OPNOTSUPP);
        }
        let mut path = String::from("/proc/self/fd/");
        let _ = write!(path, "{}", std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&node.place)));
        Ok(path)
    }
}

fn is_ours(name: &[u8]) -> bool {
    name.starts_with(b"user.")
}
