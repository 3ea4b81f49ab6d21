//! As many bytes of a file as were announced, whatever becomes of the file meanwhile.

use std::io::{self, Read};

/// Reads exactly the announced number of bytes: what the file grew by is left out, what it lost is read as zeros. One byte more or
/// less would shift all that follows the file in an archive.
#[derive(Debug)]
pub struct Exact<R> {
    file: R,
    left: u64,
    is_short: bool,
}

impl<R: Read> Exact<R> {
    /// So many bytes of this file.
    pub fn new(file: R, announced: u64) -> Self {
        Self { file, left: announced, is_short: false }
    }

    /// Whether the file, now that all was read, turned out to be longer or shorter.
    pub fn has_changed(&mut self) -> bool {
        self.is_short || self.file.read(&mut [0]).is_ok_and(|len| len > 0)
    }
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let into = &mut into[..most];
        let mut len = if self.is_short || into.is_empty() { 0 } else { self.file.read(into)? };
        if len == 0 && !into.is_empty() {
            self.is_short = true;
            into.fill(0);
            len = most;
        }
        self.left -= len as u64;
        Ok(len)
    }
}

#[cfg(test)]
#[path = "exact_test.rs"]
mod tests;
