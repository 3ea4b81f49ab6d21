//! Unpacked kernels, kept by content: the same bzImage is unpacked once.
//!
//! A file is named by the SHA-256 of the packed kernel, so that no other image can pass for it, in a
//! folder that only its owner can write. It is made without a name, written, synced and then linked:
//! a file that has the name is complete, two runs at once do no harm, and a run that dies
//! leaves nothing behind. A trailer with the length reveals a file that another program has cut or
//! rewritten; it is made anew. The bytes in between are not summed on each start: that would
//! cost as much as loading them.
//!
//! Without such a folder, the kernel is unpacked to memory each time.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags, linkat, memfd_create, open};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Timed;
use super::bzimage::{BzImageError, Payload};
use super::unpack::unpack;
use crate::xdg::Base;

const MAGIC: [u8; 8] = *b"illico\0\x01";
const STEP: usize = 256 << 10;

/// What follows the unpacked kernel in its file.
#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Trailer {
    magic: [u8; 8],
    len: U64,
}

const TRAILER: u64 = size_of::<Trailer>() as u64;

/// Where unpacked kernels are kept.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// The user's: `illico/kernels` under `$XDG_CACHE_HOME`, or under `~/.cache`.
    pub fn of_user() -> Self {
        Self { folder: Base::Cache.folder().map(|base| base.join("illico/kernels")) }
    }

    /// This folder, which is made if need be.
    pub fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// Nothing is kept.
    pub fn none() -> Self {
        Self::default()
    }

    /// The unpacked kernel of `image`. Behind its last byte a file of the cache has a trailer, which no part of an ELF
    /// file refers to.
    pub(super) fn unpacked(&self, image: &File, payload: &Payload, timed: Timed<'_>) -> Result<File, BzImageError> {
        let Some(folder) = self.folder.as_deref().filter(|folder| is_own(folder)) else {
            return in_memory(image, payload, timed);
        };
        let began = Instant::now();
        let name = name(image, payload)?;
        timed("hash the packed kernel", began, Instant::now());
        let path = folder.join(format!("{name}.vmlinux"));
        if let Some(found) = find(&path) {
            return Ok(found);
        }
        match keep(folder, &path, image, payload, timed) {
            // The folder cannot be written, or its disk is full.
            Err(BzImageError::Write(_)) => in_memory(image, payload, timed),
            kept => kept,
        }
    }
}

/// Makes the folder if it is missing; whether it belongs to the user and no other user may write there.
fn is_own(folder: &Path) -> bool {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let own = |data: fs::Metadata| data.uid() == rustix::process::geteuid().as_raw() && data.mode() & 0o022 == 0;
    made.is_ok() && fs::metadata(folder).is_ok_and(own)
}

/// The SHA-256 of the packed kernel, in hexadecimal.
fn name(image: &File, payload: &Payload) -> Result<String, BzImageError> {
    let mut sum = Sha256::new();
    let mut step = vec![0; STEP];
    let (mut offset, end) = (payload.offset, payload.offset + payload.len);
    while offset < end {
        let part = &mut step[..STEP.min((end - offset) as usize)];
        let len = part.len() as u64;
        image.read_exact_at(part, offset).map_err(|source| BzImageError::Read { offset, len, source })?;
        sum.update(part);
        offset += len;
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The file of that name, if it is whole.
fn find(path: &Path) -> Option<File> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()).ok()?;
    let file = File::from(file);
    let len = file.metadata().ok()?.len().checked_sub(TRAILER)?;
    let mut trailer = Trailer { magic: [0; 8], len: 0.into() };
    file.read_exact_at(trailer.as_mut_bytes(), len).ok()?;
    (trailer.magic == MAGIC && trailer.len.get() == len).then_some(file)
}

/// Unpacks into a file without a name and gives it one when all is on disk.
fn keep(folder: &Path, path: &Path, image: &File, payload: &Payload, timed: Timed<'_>) -> Result<File, BzImageError> {
    let failed = |errno: Errno| BzImageError::Write(errno.into());
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(open(folder, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?);
    let len = unpack_timed(image, payload, &file, timed)?;
    let trailer = Trailer { magic: MAGIC, len: len.into() };
    let written = (&file).write_all(trailer.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(BzImageError::Write)?;
    // A file that has the name already is broken, or another run's, and then either of the two will do.
    let _ = fs::remove_file(path);
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Without its name the file is as good, only not for the next run.
    let _ = linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW);
    Ok(file)
}

fn in_memory(image: &File, payload: &Payload, timed: Timed<'_>) -> Result<File, BzImageError> {
    let file = memfd_create(c"vmlinux", MemfdFlags::CLOEXEC).map_err(|errno| BzImageError::Write(errno.into()))?;
    let file = File::from(file);
    unpack_timed(image, payload, &file, timed)?;
    Ok(file)
}

fn unpack_timed(image: &File, payload: &Payload, out: &File, timed: Timed<'_>) -> Result<u64, BzImageError> {
    let began = Instant::now();
    let unpacked = unpack(image, payload, out);
    timed("unpack the kernel", began, Instant::now());
    unpacked
}

#[cfg(test)]
#[path = "cache_test.rs"]
mod tests;
