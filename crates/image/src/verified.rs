//! Content that must be what its name says: a blob with another digest or length is an error, whatever part of it was of
//! interest.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::io::{self, ErrorKind, Read};

use crate::digest::{Digest, Summed};

/// Content that is expected to have a length and a digest. It does not implement `Read`, so that nothing of it can be used without the
/// rest being read and checked.
#[derive(Debug)]
pub struct Verified<R> {
    inner: R,
    /// `None` for content whose name says nothing of it.
    expected: Option<(u64, Digest)>,
}

/// Why nothing came of verified content.
#[derive(Debug)]
pub enum Unread<E> {
    /// It cannot be read to its end, or is not what was expected.
    Content(io::Error),
    /// The user of the content failed.
    Use(E),
}

/// What was read is not what was asked for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
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
        Self { inner, expected: Some((size, digest)) }
    }

    /// Content without a digest of its own: only that it can be read to its end is checked.
    pub fn unnamed(inner: R) -> Self {
        Self { inner, expected: None }
    }

    /// All of it, checked: at most `max` bytes, and an error if it is longer.
    pub fn bytes(self, max: u64) -> io::Result<Vec<u8>> {
        // Its length comes first: content of gigabytes is not read only to learn that its digest is wrong as well.
        match self.expected {
            Some((size, _)) if size > max => Err(wrong(WrongContent::TooLarge(max))),
            _ => self.read(|reader| read_at_most(reader, max)).map_err(|error| match error {
                Unread::Content(error) | Unread::Use(error) => error,
            }),
        }
    }

    /// Lends it to `reader`, reads what that leaves, and gives its result only if all of the content was as expected. Wrong
    /// content is the reason for whatever else seems wrong with it, and it is only known at its end; another error of
    /// reading is told only where `reader` did not fail of it already.
    pub fn read<T, E>(self, reader: impl FnOnce(&mut dyn Read) -> Result<T, E>) -> Result<T, Unread<E>> {
        let mut inner = match self.expected {
            Some((size, digest)) => Checked::Named(Box::new(Summing {
                inner: Some(Summed::new(self.inner)),
                left: size,
                digest,
                wrong: None,
            })),
            None => Checked::Unnamed(self.inner),
        };
        let used = reader(&mut inner);
        let rest = io::copy(&mut inner, &mut io::sink());
        match (rest, used) {
            (Err(error), Ok(_)) => Err(Unread::Content(error)),
            (Err(error), Err(_)) if error.get_ref().is_some_and(|why| why.is::<WrongContent>()) => {
                Err(Unread::Content(error))
            }
            (_, used) => used.map_err(Unread::Use),
        }
    }

    /// The same content behind a pointer.
    pub fn boxed<'a>(self) -> Verified<Box<dyn Read + 'a>>
    where
        R: 'a,
    {
        Verified { inner: Box::new(self.inner), expected: self.expected }
    }
}

/// Content on its way.
enum Checked<R> {
    Named(Box<Summing<R>>),
    Unnamed(R),
}

/// Content that is summed up, and whose end is an error where it is not what was expected.
struct Summing<R> {
    inner: Option<Summed<R>>,
    left: u64,
    digest: Digest,
    /// The first error; later reads repeat it.
    wrong: Option<WrongContent>,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Named(content) => content.read(buffer),
            Self::Unnamed(content) => content.read(buffer),
        }
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

impl<R: Read> Summing<R> {
    /// Looks at what was read: so many bytes, or the end.
    fn check(&mut self, count: usize) -> Option<WrongContent> {
        if count as u64 > self.left {
            return Some(WrongContent::Longer);
        }
        self.left = self.left.saturating_sub(count as u64);
        if count > 0 {
            return None;
        }
        if self.left > 0 {
            return Some(WrongContent::Shorter(self.left));
        }
        let found = self.inner.take().map(|summed| summed.finish().0)?;
        (found != self.digest).then_some(WrongContent::Digest { found, wanted: self.digest })
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(why) = self.wrong {
            return Err(wrong(why));
        }
        let Some(inner) = self.inner.as_mut() else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = inner.read(buffer)?;
        self.wrong = self.check(count);
        self.wrong.map_or(Ok(count), |why| Err(wrong(why)))
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
        let read = Verified::new(content, size, digest).read(|reader| reader.read_to_end(&mut Vec::new()));
        read.map_err(|error| match error {
            Unread::Content(error) | Unread::Use(error) => error.to_string(),
        })
    }

    #[test]
    fn a_reader_that_stops_early_learns_of_what_it_left() {
        let first = |content: &[u8]| {
            let verified = Verified::new(content, 5, Digest::of(b"hello"));
            verified.read(|reader| reader.read(&mut [0; 1]).map(|_| "used"))
        };
        assert!(matches!(first(b"hello"), Ok("used")));
        assert!(matches!(first(b"hellO"), Err(Unread::Content(_))));
        assert!(matches!(first(b"hell"), Err(Unread::Content(_))));
        let unused = Verified::new(&b"hellO"[..], 5, Digest::of(b"hello")).read(|_| Ok::<_, ()>(()));
        assert!(matches!(unused, Err(Unread::Content(_))));
    }

    #[test]
    fn wrong_content_is_the_reason_of_other_failures() {
        let fails =
            |content: &[u8]| Verified::new(content, 5, Digest::of(b"hello")).read(|_| Err::<(), _>("does not parse"));
        assert!(matches!(fails(b"hello"), Err(Unread::Use("does not parse"))));
        assert!(matches!(fails(b"hellO"), Err(Unread::Content(_))));
    }

    #[test]
    fn content_without_a_digest_is_read_to_its_end() {
        let mut left = &b"hello"[..];
        assert!(matches!(Verified::unnamed(&mut left).read(|_| Ok::<_, ()>(7)), Ok(7)));
        assert!(left.is_empty());
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
