//! A tar archive in frames of data, in both directions. What comes out of a guest is looked at entry by entry: every
//! name begins as the agent promised, none leads out of the folder, and neither devices nor rights beyond rwx are made.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Component, Path, PathBuf};

use illico_protocol::{Frame, MAX_DATA, Reader};
use tar::EntryType;

use super::{Warn, ended};

/// Sends what is written to it.
#[derive(Debug)]
pub struct DataWriter {
    stream: UnixStream,
    kept: Vec<u8>,
    broken: bool,
}

impl DataWriter {
    /// To this agent.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, kept: Vec::with_capacity(MAX_DATA), broken: false }
    }

    /// Whether the agent takes no more: then it says why.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Closes the connection within the archive, so that the agent does not wait for the rest.
    pub fn abandon(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// All was written.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(&Frame::DataEnd)
    }

    fn send(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).map_err(io::Error::other)?;
        let sent = self.stream.write_all(&bytes);
        self.broken |= sent.is_err();
        sent
    }
}

impl Write for DataWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = MAX_DATA - self.kept.len();
        let taken = &data[..data.len().min(room)];
        self.kept.extend_from_slice(taken);
        if self.kept.len() == MAX_DATA {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let kept = std::mem::take(&mut self.kept);
        self.send(&Frame::Data(&kept))
    }
}

/// Gives what the agent sends.
pub struct DataReader<'a, R> {
    reader: Reader<R>,
    warn: Warn<'a>,
    kept: Vec<u8>,
    given: usize,
    complete: bool,
    /// The agent's last frame, where it came before the archive's end.
    failed: Option<io::Error>,
}

impl<'a, R: Read> DataReader<'a, R> {
    /// From this agent.
    pub fn new(reader: Reader<R>, warn: Warn<'a>) -> Self {
        Self { reader, warn, kept: Vec::new(), given: 0, complete: false, failed: None }
    }

    /// Reads the agent's last frame, behind what was not read of the archive.
    pub fn end(mut self) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        io::copy(&mut self, &mut io::sink())?;
        ended(self.reader.read()?)
    }
}

impl<R: Read> Read for DataReader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.kept.len() && !self.complete {
            match self.reader.read()? {
                Some(Frame::Data(data)) => (self.kept, self.given) = (data.to_owned(), 0),
                Some(Frame::DataEnd) => self.complete = true,
                Some(Frame::Warning(text)) => (self.warn)(&text),
                // The archive is not complete, and nothing follows.
                frame => {
                    let error = ended(frame).err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                    let text = error.to_string();
                    (self.complete, self.failed) = (true, Some(error));
                    return Err(io::Error::other(text));
                }
            }
        }
        let rest = &self.kept[self.given..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Folders that their owner may not write, and their permissions. They are set once all is where it belongs: a plain user can
/// neither fill nor move such a folder.
#[derive(Debug, Default)]
#[must_use]
pub struct Closed(Vec<(PathBuf, u32)>);

impl Closed {
    /// Sets them. `place` says where a path of the archive has come to be.
    pub fn close(self, place: impl Fn(&Path) -> PathBuf) -> io::Result<()> {
        for (path, mode) in self.0.into_iter().rev() {
            let path = place(&path);
            if fs::symlink_metadata(&path)?.is_dir() {
                fs::set_permissions(path, Permissions::from_mode(mode))?;
            }
        }
        Ok(())
    }
}

/// Unpacks what has `name` into a folder.
pub fn unpack(data: &mut impl Read, name: &Path, folder: &Path, warn: Warn<'_>) -> io::Result<Closed> {
    let mut archive = tar::Archive::new(data);
    let mut any = false;
    let mut closed = Closed::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let promised = path.components().all(|part| matches!(part, Component::Normal(_))) && path.starts_with(name);
        if !promised {
            return Err(foreign(&path));
        }
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Regular
            | EntryType::Continuous
            | EntryType::Directory
            | EntryType::Symlink
            | EntryType::Link => {
                // It follows no link out of the folder, neither one that it made nor one that was there.
                if !entry.unpack_in(folder)? {
                    return Err(foreign(&path));
                }
                any = true;
            }
            _ => warn(&format!("left out, since it is neither file, folder nor link: {}", path.display())),
        }
        if kind == EntryType::Directory {
            let made = folder.join(&path);
            let data = fs::symlink_metadata(&made)?;
            let mode = data.permissions().mode() & 0o7777;
            if data.is_dir() && mode & OWNER != OWNER {
                fs::set_permissions(&made, Permissions::from_mode(mode | OWNER))?;
                closed.0.push((path, mode));
            }
        }
    }
    if any { Ok(closed) } else { Err(io::Error::other("nothing came out of the machine")) }
}

/// The owner's rights.
const OWNER: u32 = 0o700;

fn foreign(path: &Path) -> io::Error {
    io::Error::other(format!("the machine sent {}, which was not asked for; nothing was made of it", path.display()))
}

#[cfg(test)]
#[path = "archive_test.rs"]
mod tests;
