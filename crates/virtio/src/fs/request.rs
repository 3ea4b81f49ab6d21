//! From the bytes of a request to what is asked for: `include/uapi/linux/fuse.h`, structures and names, each
//! checked once.
//!
//! It knows nothing of files. What comes out of it can still name nodes and handles that do not exist.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::ffi::CStr;

use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::protocol::*;

/// Bytes of a request at most, without the data of a WRITE: the longest is a SETXATTR with a name and the
/// largest value that Linux has.
pub const MAX_REQUEST: usize = 128 << 10;

/// One name in a folder: not empty, at most 255 bytes, without a slash, neither `.` nor `..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(&'a CStr);

impl<'a> Name<'a> {
    /// Checks a name.
    pub fn new(text: &'a CStr) -> Result<Self, Errno> {
        match text.to_bytes() {
            b"" | b"." | b".." => Err(Errno::INVAL),
            bytes if bytes.contains(&b'/') => Err(Errno::INVAL),
            bytes if bytes.len() > 255 => Err(Errno::NAMETOOLONG),
            _ => Ok(Self(text)),
        }
    }

    /// The name, for the kernel.
    pub fn text(self) -> &'a CStr {
        self.0
    }
}

/// What a driver asks for. Nodes and handles are numbers that it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request<'a> {
    Init(InitIn),
    Destroy,
    Lookup(Name<'a>),
    Forget(u64),
    /// Each of these, and what is wrong with the rest of the list ends it.
    BatchForget(&'a [u8]),
    Getattr,
    Statx,
    Setattr(SetattrIn),
    Readlink,
    Symlink(Name<'a>, &'a CStr),
    Mknod(MknodIn, Name<'a>),
    Mkdir(MkdirIn, Name<'a>),
    Unlink(Name<'a>),
    Rmdir(Name<'a>),
    Rename {
        name: Name<'a>,
        to: u64,
        to_name: Name<'a>,
        flags: u32,
    },
    Link(u64, Name<'a>),
    Open(OpenIn),
    Create(CreateIn, Name<'a>),
    Read(ReadIn),
    /// Its data comes behind it.
    Write(WriteIn),
    Release(u64),
    Fsync(FsyncIn),
    Opendir,
    Readdir(ReadIn),
    Readdirplus(ReadIn),
    Releasedir(u64),
    Fsyncdir(FsyncIn),
    Statfs,
    Getxattr(&'a CStr, u32),
    Listxattr(u32),
    Setxattr(&'a CStr, &'a [u8], u32),
    Removexattr(&'a CStr),
    Fallocate(FallocateIn),
    Lseek(LseekIn),
    CopyFileRange(CopyFileRangeIn),
}

impl Request<'_> {
    /// Whether it would change the shared folder.
    pub fn changes(&self) -> bool {
        match self {
            Self::Setattr(_)
            | Self::Symlink(..)
            | Self::Mknod(..)
            | Self::Mkdir(..)
            | Self::Unlink(_)
            | Self::Rmdir(_)
            | Self::Rename { .. }
            | Self::Link(..)
            | Self::Create(..)
            | Self::Write(_)
            | Self::Setxattr(..)
            | Self::Removexattr(_)
            | Self::Fallocate(_)
            | Self::CopyFileRange(_) => true,
            Self::Init(_)
            | Self::Destroy
            | Self::Lookup(_)
            | Self::Forget(_)
            | Self::BatchForget(_)
            | Self::Getattr
            | Self::Statx
            | Self::Readlink
            | Self::Open(_)
            | Self::Read(_)
            | Self::Release(_)
            | Self::Fsync(_)
            | Self::Opendir
            | Self::Readdir(_)
            | Self::Readdirplus(_)
            | Self::Releasedir(_)
            | Self::Fsyncdir(_)
            | Self::Statfs
            | Self::Getxattr(..)
            | Self::Listxattr(_)
            | Self::Lseek(_) => false,
        }
    }
}

/// What is left of a request's bytes.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take<T: FromBytes + KnownLayout + Immutable>(&mut self) -> Result<T, Errno> {
        let (value, rest) = T::read_from_prefix(self.0).map_err(|_| Errno::INVAL)?;
        self.0 = rest;
        Ok(value)
    }

    fn text(&mut self) -> Result<&'a CStr, Errno> {
        let text = CStr::from_bytes_until_nul(self.0).map_err(|_| Errno::INVAL)?;
        self.0 = self.0.get(text.count_bytes().saturating_add(1)..).unwrap_or_default();
        Ok(text)
    }

    fn name(&mut self) -> Result<Name<'a>, Errno> {
        Name::new(self.text()?)
    }
}

/// Reads the request `opcode` out of what comes behind its header. An operation that is not served is `NOSYS`:
/// Linux then does without it and does not ask again.
pub fn parse(opcode: u32, body: &[u8]) -> Result<Request<'_>, Errno> {
    let mut body = Body(body);
    Ok(match opcode {
        opcode::INIT => Request::Init(body.take()?),
        opcode::DESTROY => Request::Destroy,
        opcode::LOOKUP => Request::Lookup(body.name()?),
        opcode::FORGET => Request::Forget(body.take::<ForgetIn>()?.nlookup),
        opcode::BATCH_FORGET => {
            let BatchForgetIn { count, dummy: _ } = body.take()?;
            let bytes = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size_of::<ForgetOne>());
            Request::BatchForget(body.0.get(..bytes).unwrap_or(body.0))
        }
        // Attributes of an open file are those of its node.
        opcode::GETATTR => Request::Getattr,
        opcode::STATX => body.take::<StatxIn>().map(|_| Request::Statx)?,
        opcode::SETATTR => Request::Setattr(body.take()?),
        opcode::READLINK => Request::Readlink,
        opcode::SYMLINK => Request::Symlink(body.name()?, body.text()?),
        opcode::MKNOD => Request::Mknod(body.take()?, body.name()?),
        opcode::MKDIR => Request::Mkdir(body.take()?, body.name()?),
        opcode::UNLINK => Request::Unlink(body.name()?),
        opcode::RMDIR => Request::Rmdir(body.name()?),
        opcode::RENAME => {
            let RenameIn { newdir } = body.take()?;
            Request::Rename { name: body.name()?, to: newdir, to_name: body.name()?, flags: 0 }
        }
        opcode::RENAME2 => {
            let Rename2In { newdir, flags, padding: _ } = body.take()?;
            Request::Rename { name: body.name()?, to: newdir, to_name: body.name()?, flags }
        }
        opcode::LINK => Request::Link(body.take::<LinkIn>()?.oldnodeid, body.name()?),
        opcode::OPEN => Request::Open(body.take()?),
        opcode::CREATE => Request::Create(body.take()?, body.name()?),
        opcode::READ => Request::Read(body.take()?),
        opcode::WRITE => Request::Write(body.take()?),
        opcode::RELEASE => Request::Release(body.take::<ReleaseIn>()?.fh),
        opcode::FSYNC => Request::Fsync(body.take()?),
        opcode::OPENDIR => Request::Opendir,
        opcode::READDIR => Request::Readdir(body.take()?),
        opcode::READDIRPLUS => Request::Readdirplus(body.take()?),
        opcode::RELEASEDIR => Request::Releasedir(body.take::<ReleaseIn>()?.fh),
        opcode::FSYNCDIR => Request::Fsyncdir(body.take()?),
        opcode::STATFS => Request::Statfs,
        opcode::GETXATTR => {
            let GetxattrIn { size, padding: _ } = body.take()?;
            Request::Getxattr(body.text()?, size)
        }
        opcode::LISTXATTR => Request::Listxattr(body.take::<GetxattrIn>()?.size),
        opcode::SETXATTR => {
            let SetxattrIn { size, flags } = body.take()?;
            let name = body.text()?;
            let size = usize::try_from(size).map_err(|_| Errno::INVAL)?;
            Request::Setxattr(name, body.0.get(..size).ok_or(Errno::INVAL)?, flags)
        }
        opcode::REMOVEXATTR => Request::Removexattr(body.text()?),
        opcode::FALLOCATE => Request::Fallocate(body.take()?),
        opcode::LSEEK => Request::Lseek(body.take()?),
        opcode::COPY_FILE_RANGE => Request::CopyFileRange(body.take()?),
        _ => return Err(Errno::NOSYS),
    })
}

#[cfg(test)]
#[path = "request_test.rs"]
mod tests;
