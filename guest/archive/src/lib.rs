//! A file or folder as a tar archive, as `illico cp` sends it in either direction: host and agent pack alike.
//!
//! Files may change while they are read. Each takes exactly the bytes that its header announces ([`Exact`]), so that it cannot damage
//! what follows it; what vanished since its folder was listed is left out. Both are warnings. Sockets are left out, as
//! `docker cp` does. What cannot be read is an error.
//!
//! Unpacking is not here: the host trusts no archive, the agent trusts its host.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod exact;

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use tar::{Builder, Header};

pub use exact::Exact;

/// What differs in the archive from the files, while all the rest is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning<'a> {
    /// It vanished after its folder was listed.
    Gone(&'a Path),
    /// It became longer or shorter while it was read.
    Changed(&'a Path),
}

impl Display for Warning<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(path) => write!(out, "{} is gone, and was not copied", path.display()),
            Self::Changed(path) => write!(out, "{} changed while it was copied", path.display()),
        }
    }
}

/// Writes an archive of `source`, whose names begin with `name`. An error names the file that it is about.
pub fn pack(to: impl Write, source: &Path, name: &Path, mut warn: impl FnMut(Warning<'_>)) -> io::Result<()> {
    let failed = |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    // Before there is an archive: a builder that is dropped writes the archive's end.
    fs::symlink_metadata(source).map_err(|error| failed(source, error))?;
    let mut archive = Builder::new(to);
    archive.follow_symlinks(false);
    let mut waiting = vec![(source.to_owned(), name.to_owned())];
    while let Some((path, name)) = waiting.pop() {
        match add(&mut archive, &path, &name, &mut warn) {
            Ok(inside) => waiting.extend(inside.into_iter().map(|entry| (path.join(&entry), name.join(entry)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != source => warn(Warning::Gone(&path)),
            Err(error) => return Err(failed(&path, error)),
        }
    }
    archive.into_inner()?.flush()
}

/// Adds one entry; gives the names in it, if it is a folder, the first one last.
fn add(
    archive: &mut Builder<impl Write>,
    path: &Path,
    name: &Path,
    warn: &mut impl FnMut(Warning<'_>),
) -> io::Result<Vec<OsString>> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        let mut inside = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        archive.append_dir(name, path)?;
        inside.sort_unstable_by(|a, b| b.cmp(a));
        return Ok(inside);
    }
    if kind.is_file() {
        // What was a file a moment ago may be a link or a pipe by now.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let data = file.metadata()?;
        let mut header = Header::new_gnu();
        header.set_metadata(&data);
        let mut content = Exact::new(file, data.len());
        archive.append_data(&mut header, name, &mut content)?;
        if content.has_changed() {
            warn(Warning::Changed(path));
        }
    } else if !kind.is_socket() {
        archive.append_path_with_name(path, name)?;
    }
    Ok(Vec::new())
}

#[cfg(test)]
#[path = "lib_test.rs"]
mod tests;
