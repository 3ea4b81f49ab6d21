//! A file or folder of this host as a tar archive: each file with exactly the size that its header announces, sockets left out
//! as `docker cp` does.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tar::{Builder, Header};

use crate::output;

/// Writes an archive of `source`, whose names begin with `name`. An error names the file that it is about.
pub fn pack(to: impl Write, source: &Path, name: &OsStr) -> io::Result<()> {
    let mut archive = Builder::new(to);
    archive.follow_symlinks(false);
    let mut waiting = vec![(source.to_owned(), PathBuf::from(name))];
    while let Some((path, name)) = waiting.pop() {
        match add(&mut archive, &path, &name) {
            Ok(inside) => waiting.extend(inside.into_iter().map(|entry| (path.join(&entry), name.join(entry)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != source => {
                output::say(&format!("{} is gone, and was not copied", path.display()));
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        }
    }
    archive.finish()
}

/// Adds one entry, and gives the names in it if it is a folder.
fn add(archive: &mut Builder<impl Write>, path: &Path, name: &Path) -> io::Result<Vec<OsString>> {
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
        let mut header = Header::new_gnu();
        header.set_metadata(&data);
        let mut announced = Announced { file, left: data.len(), ended: false };
        archive.append_data(&mut header, name, &mut announced)?;
        if announced.has_changed() {
            output::say(&format!("{} changed while it was copied", path.display()));
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
#[path = "pack_test.rs"]
mod tests;
