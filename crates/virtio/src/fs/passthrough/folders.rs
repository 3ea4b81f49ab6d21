//! Reading folders: entries as the host's kernel gives them, some at a time.
//!
//! A position is the kernel's own (`d_off`), so that any open descriptor of the folder can go on from it.

use std::collections::VecDeque;
use std::ffi::CString;
use std::mem::MaybeUninit;

use rustix::fs::{FileType, RawDir, SeekFrom, seek};
use rustix::io::Errno;

use super::super::descriptors::Descriptor;

/// One entry.
#[derive(Debug)]
pub struct Entry {
    pub name: CString,
    pub ino: u64,
    pub kind: FileType,
    /// Where the next one is.
    pub next: u64,
}

/// An open folder, and what was read of it in advance.
#[derive(Debug)]
pub struct Folder {
    file: Descriptor,
    read: VecDeque<Entry>,
    /// Where the first of `read` is, or where the kernel stands; nowhere where what was read was forgotten.
    position: Option<u64>,
}

impl Folder {
    pub fn new(file: Descriptor) -> Self {
        Self { file, read: VecDeque::new(), position: Some(0) }
    }

    pub fn file(&self) -> &Descriptor {
        &self.file
    }

    /// Goes to a position.
    pub fn go_to(&mut self, position: u64) -> Result<(), Errno> {
        // From the top it is read anew: that is what rewinding is for.
        if self.position != Some(position) || position == 0 {
            self.read = VecDeque::new();
            self.position = None;
            self.position = Some(seek(&self.file, SeekFrom::Start(position))?);
        }
        Ok(())
    }

    /// The entry at the position, and stays there.
    pub fn peek(&mut self) -> Result<Option<&Entry>, Errno> {
        if self.read.is_empty() {
            let mut space = [MaybeUninit::uninit(); 16 << 10];
            let mut some = RawDir::new(&self.file, &mut space);
            while let Some(entry) = some.next() {
                let entry = entry?;
                self.read.push_back(Entry {
                    name: entry.file_name().to_owned(),
                    ino: entry.ino(),
                    kind: entry.file_type(),
                    next: entry.next_entry_cookie(),
                });
                if some.is_buffer_empty() {
                    break;
                }
            }
        }
        Ok(self.read.front())
    }

    /// Goes past the entry that was looked at.
    pub fn pass(&mut self) {
        if let Some(entry) = self.read.pop_front() {
            self.position = Some(entry.next);
        }
    }

    /// Forgets what was read in advance.
    pub fn forget_ahead(&mut self) {
        if !self.read.is_empty() {
            self.read = VecDeque::new();
            self.position = None;
        }
    }
}
