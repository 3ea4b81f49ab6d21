//! Files as a tar archive, with `docker cp`'s rules for names.
//!
//! What comes from the host belongs to root, which the agent is: the host may do everything in its guest. Names with
//! `..` are mistakes; links are followed where they are.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use crate::log;

/// Unpacks into the folder `target`, or gives the archive's topmost entry that name.
pub(crate) fn unpack(from: &mut impl Read, target: &Path) -> io::Result<()> {
    let into_folder = target.is_dir();
    let (folder, name) = match (into_folder, target.parent(), target.file_name()) {
        (true, ..) => (target, None),
        (false, Some(parent), Some(name)) if parent.is_dir() => (parent, Some(name)),
        _ => return Err(io::Error::other(format!("the guest has no folder for {}", target.display()))),
    };
    let mut archive = tar::Archive::new(&mut *from);
    archive.set_preserve_permissions(true);
    let mut folders = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = renamed(&entry.path()?, name);
        // A folder that its owner cannot write gets its permissions when all is in it.
        if entry.header().entry_type().is_dir() {
            folders.push((path.clone(), entry.header().mode()?));
        }
        let inside = unpack_entry(&mut entry, folder, name)?;
        if !inside {
            return Err(io::Error::other(format!("the archive has the name {}", path.display())));
        }
    }
    for (path, mode) in folders.into_iter().rev() {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode & 0o7777);
        fs::set_permissions(folder.join(path), permissions)?;
    }
    // What follows the end of the archive is padding.
    io::copy(from, &mut io::sink()).map(drop)
}

/// False if the name leads out of the folder.
fn unpack_entry(entry: &mut tar::Entry<'_, impl Read>, folder: &Path, name: Option<&OsStr>) -> io::Result<bool> {
    let path = renamed(&entry.path()?, name);
    if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Ok(false);
    }
    let target = folder.join(path);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if entry.header().entry_type() == tar::EntryType::Link {
        let linked = entry.link_name()?.ok_or_else(|| io::Error::other("the archive has a link to nothing"))?;
        let _ = fs::remove_file(&target);
        return fs::hard_link(folder.join(renamed(&linked, name)), &target).map(|()| true);
    }
    entry.unpack(&target).map(|_| true)
}

/// The path with its first name replaced.
fn renamed(path: &Path, name: Option<&OsStr>) -> PathBuf {
    let Some(name) = name else { return path.to_owned() };
    let mut parts = path.components().skip_while(|part| *part == Component::CurDir).skip(1).peekable();
    // A path that ends in a slash would not be that of a file.
    if parts.peek().is_some() { Path::new(name).join(parts.collect::<PathBuf>()) } else { PathBuf::from(name) }
}

/// Packs the file or folder `source`, under its own last name. Sockets are left out, as `docker cp` does.
pub(crate) fn pack(to: impl Write, source: &Path) -> io::Result<()> {
    // The root, and paths that end in `..`, have no name of their own.
    let name = source.file_name().map_or_else(|| PathBuf::from("."), PathBuf::from);
    // Before there is an archive, whose end is written whatever happens to it.
    fs::symlink_metadata(source).map_err(|error| io::Error::other(format!("{}: {error}", source.display())))?;
    let mut archive = tar::Builder::new(BufWriter::with_capacity(illico_protocol::MAX_DATA, to));
    archive.follow_symlinks(false);
    let mut waiting = vec![(source.to_owned(), name)];
    while let Some((path, name)) = waiting.pop() {
        match add(&mut archive, &path, &name) {
            Ok(inside) => waiting.extend(inside.into_iter().map(|entry| (path.join(&entry), name.join(entry)))),
            // It went between the listing of its folder and now.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != source => {
                log::warning(&format_args!("{} is gone, and was not copied", path.display()));
            }
            Err(error) => return Err(io::Error::other(format!("{}: {error}", path.display()))),
        }
    }
    archive.into_inner()?.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
}

/// Adds one entry, and gives the names in it if it is a folder.
fn add(archive: &mut tar::Builder<impl Write>, path: &Path, name: &Path) -> io::Result<Vec<OsString>> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        let mut inside = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        archive.append_dir(name, path)?;
        // The last of them comes next.
        inside.sort_unstable_by(|a, b| b.cmp(a));
        return Ok(inside);
    }
    if kind.is_file() {
        // What was a file a moment ago may be a link or a pipe by now.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let data = file.metadata()?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&data);
        let mut announced = Announced { file, left: data.len(), ended: false };
        archive.append_data(&mut header, name, &mut announced)?;
        if announced.has_changed() {
            log::warning(&format_args!("{} changed while it was copied", path.display()));
        }
    } else if !kind.is_socket() {
        archive.append_path_with_name(path, name)?;
    }
    Ok(Vec::new())
}

/// As many bytes of a file as its header announces, whatever becomes of it meanwhile: what it grew by is left out, and what it
/// lost is zeros. A byte more or less would make another archive of all that follows.
struct Announced<R> {
    file: R,
    left: u64,
    /// The file was shorter than announced.
    ended: bool,
}

impl<R: Read> Announced<R> {
    fn has_changed(&mut self) -> bool {
        self.ended || self.file.read(&mut [0]).is_ok_and(|len| len > 0)
    }
}

impl<R: Read> Read for Announced<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let into = &mut into[..most];
        let mut len = if self.ended || into.is_empty() { 0 } else { self.file.read(into)? };
        if len == 0 && !into.is_empty() {
            self.ended = true;
            into.fill(0);
            len = most;
        }
        self.left -= len as u64;
        Ok(len)
    }
}

#[cfg(test)]
#[path = "archive_test.rs"]
mod tests;
