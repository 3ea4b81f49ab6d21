//! A part of an open file, as a reader of its own: the position of the file itself is left alone, so that several may read
//! from one descriptor.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// A part of a file, read from its front.
#[derive(Debug)]
pub(crate) struct FilePart<'a> {
    /// Where it lies.
    pub(crate) file: &'a File,
    /// Where the next byte is.
    pub(crate) at: u64,
    /// How many bytes are left. More than the file has end with the file.
    pub(crate) left: u64,
}

impl Read for FilePart<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.file.read_at(out.get_mut(..wanted).unwrap_or_default(), self.at)?;
        self.at = self.at.saturating_add(got as u64);
        self.left = self.left.saturating_sub(got as u64);
        Ok(got)
    }
}
