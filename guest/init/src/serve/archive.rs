//! Files as a tar archive, with `docker cp`'s rules for names.
//!
//! What comes from the host belongs to root, which the agent is: the host may do everything in its guest. Names with
//! `..` are mistakes; links are followed where they are.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use illico_archive::Warning;

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

/// Packs the file or folder `source`, under its own last name.
pub(crate) fn pack(to: impl Write, source: &Path, warn: impl FnMut(Warning<'_>)) -> io::Result<()> {
    // The root, and paths that end in `..`, have no name of their own.
    let name = source.file_name().map_or(Path::new("."), Path::new);
    illico_archive::pack(BufWriter::with_capacity(illico_protocol::MAX_DATA, to), source, name, warn)
}

#[cfg(test)]
#[path = "archive_test.rs"]
mod tests;
