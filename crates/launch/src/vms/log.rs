//! What the command of a machine in the background wrote: the last of it, in numbered files.
//!
//! `output.0.log` is the first; when one is full the next is begun, and all but the last two go, so a guest that prints for
//! ever does not fill the host's disk. What a full disk does not take is dropped, and how much is said in the log itself once
//! there is room: a machine does not end because its log cannot be written. A file is complete once the next one is there, and none ever changes its name: a
//! reader that follows misses nothing, or knows that it did.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of a file at most.
const PIECE: u64 = 8 << 20;
/// Files that are kept.
const PIECES: u64 = 2;

/// A log that is written.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    number: u64,
    file: File,
    piece: u64,
    room: u64,
    /// Bytes that were dropped since the last that were written, and why.
    missing: u64,
    why: String,
}

impl Log {
    /// Begins the log of a machine in its folder.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        Self::begin_with(folder, PIECE)
    }

    fn begin_with(folder: &Path, piece: u64) -> io::Result<Self> {
        let file = create(folder, 0)?;
        Ok(Self { folder: folder.to_owned(), number: 0, file, piece, room: piece, missing: 0, why: String::new() })
    }

    /// Keeps this, or as much of it as the disk takes.
    pub fn keep(&mut self, data: &[u8]) {
        if self.missing > 0 {
            let notice = format!("\n[illico: {} bytes are missing here: {}]\n", self.missing, self.why);
            match self.append(notice.as_bytes()) {
                Ok(()) => self.missing = 0,
                Err(_) => {
                    self.missing += data.len() as u64;
                    return;
                }
            }
        }
        let mut rest = data;
        while !rest.is_empty() {
            match self.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.missing += rest.len() as u64;
                    self.why = error.to_string();
                    return;
                }
            }
        }
    }

    /// All of it or nothing, in one file.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.room < line.len() as u64 {
            self.begin_next()?;
        }
        let before = self.file.metadata()?.len();
        self.file.write_all(line).inspect_err(|_| drop(self.file.set_len(before)))?;
        self.room = self.room.saturating_sub(line.len() as u64);
        Ok(())
    }

    fn begin_next(&mut self) -> io::Result<()> {
        let next = self.number + 1;
        if let Some(old) = next.checked_sub(PIECES) {
            match fs::remove_file(path(&self.folder, old)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = create(&self.folder, next)?;
        (self.number, self.room) = (next, self.piece);
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            self.begin_next()?;
        }
        let fits = data.len().min(usize::try_from(self.room).unwrap_or(usize::MAX));
        let count = self.file.write(&data[..fits])?;
        self.room -= count as u64;
        Ok(count)
    }
}

/// A log that is read, maybe while it is written.
#[derive(Debug)]
pub struct LogReader {
    folder: PathBuf,
    number: u64,
    file: File,
}

/// What a look at a log brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Bytes that were copied.
    pub copied: u64,
    /// Files that were gone before they were read.
    pub missed: u64,
}

impl LogReader {
    /// From the oldest that is kept. `None` if there is nothing.
    pub fn open(folder: &Path) -> io::Result<Option<Self>> {
        let opened = open_from(folder, 0)?;
        Ok(opened.map(|(number, file)| Self { folder: folder.to_owned(), number, file }))
    }

    /// Copies what is there and was not read before.
    pub fn copy(&mut self, out: &mut impl Write) -> io::Result<Look> {
        let mut look = Look { copied: io::copy(&mut self.file, out)?, missed: 0 };
        while let Some((number, file)) = open_from(&self.folder, self.number + 1)? {
            // What was added between the last read and the beginning of the next file.
            look.copied += io::copy(&mut self.file, out)?;
            look.missed += number - self.number - 1;
            (self.number, self.file) = (number, file);
            look.copied += io::copy(&mut self.file, out)?;
        }
        out.flush()?;
        Ok(look)
    }
}

/// The oldest file of this number or a later one.
fn open_from(folder: &Path, least: u64) -> io::Result<Option<(u64, File)>> {
    loop {
        let entries = match fs::read_dir(folder) {
            // A folder that goes with its machine.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        let numbers = entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?));
        let Some(oldest) = numbers.filter(|&number| number >= least).min() else { return Ok(None) };
        match File::open(path(folder, oldest)) {
            // It went in between, and there are later ones.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return opened.map(|file| Some((oldest, file))),
        }
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("output.{number}.log"))
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("output.")?.strip_suffix(".log")?.parse().ok()
}

fn create(folder: &Path, number: u64) -> io::Result<File> {
    File::options().append(true).create_new(true).mode(0o600).open(path(folder, number))
}

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
