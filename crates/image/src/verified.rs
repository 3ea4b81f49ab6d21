//! Content that must be what its name says: read through this, a blob with another digest or length ends with an error
//! instead of its end.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::io::{self, ErrorKind, Read};

use crate::digest::{Digest, Summed};

/// A blob that is being read and summed up.
#[derive(Debug)]
pub struct Verified<R> {
    inner: Option<Summed<R>>,
    left: u64,
    digest: Digest,
}

/// What was read is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum WrongContent {
    #[error("its digest is {found}, and {wanted} was asked for")]
    Digest { found: Digest, wanted: Digest },
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it is longer than its descriptor says")]
    Longer,
    #[error("it is {0} bytes shorter than its descriptor says")]
    Shorter(u64),
}

impl<R: Read> Verified<R> {
    /// Expects a content of this length and digest.
    pub fn new(inner: R, size: u64, digest: Digest) -> Self {
        Self { inner: Some(Summed::new(inner)), left: size, digest }
    }
}

impl<R: Read> Verified<R> {
    /// All of it, checked: at most `max` bytes, and an error if it is longer.
    pub fn bytes(self, max: u64) -> io::Result<Vec<u8>> {
        read_at_most(self, max)
    }
}

/// All that a reader has, to its very end; longer content is an error and never cut.
pub(crate) fn read_at_most(reader: impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(wrong(WrongContent::TooLarge(max)));
    }
    Ok(bytes)
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(inner) = self.inner.as_mut() else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = inner.read(buffer)?;
        if count as u64 > self.left {
            return Err(wrong(WrongContent::Longer));
        }
        self.left = self.left.saturating_sub(count as u64);
        if count > 0 {
            return Ok(count);
        }
        if self.left > 0 {
            return Err(wrong(WrongContent::Shorter(self.left)));
        }
        let found = self.inner.take().map(|summed| summed.finish().0);
        match found {
            Some(found) if found != self.digest => Err(wrong(WrongContent::Digest { found, wanted: self.digest })),
            _ => Ok(0),
        }
    }
}

fn wrong(why: WrongContent) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(content: &[u8], size: u64, digest: Digest) -> Result<usize, String> {
        Verified::new(content, size, digest).read_to_end(&mut Vec::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn content_over_the_limit_is_refused_and_not_cut() {
        let long = vec![b' '; 100];
        let verified = |max| Verified::new(&long[..], 100, Digest::of(b"other")).bytes(max);
        assert_eq!(verified(99).unwrap_err().to_string(), "it has more than 99 bytes");
        assert!(verified(100).unwrap_err().to_string().starts_with("its digest is"));
        assert_eq!(Verified::new(&long[..], 100, Digest::of(&long)).bytes(100).unwrap().len(), 100);
    }

    #[test]
    fn only_what_was_asked_for_ends_well() {
        assert_eq!(read(b"hello", 5, Digest::of(b"hello")), Ok(5));
        assert_eq!(read(b"", 0, Digest::of(b"")), Ok(0));
        let error = read(b"hullo", 5, Digest::of(b"hello"));
        assert!(error.is_err_and(|error| error.contains(&Digest::of(b"hello").to_string())));
        assert_eq!(read(b"hello!", 5, Digest::of(b"hello")), Err("it is longer than its descriptor says".into()));
        assert_eq!(
            read(b"hell", 5, Digest::of(b"hello")),
            Err("it is 1 bytes shorter than its descriptor says".into())
        );
    }
}
