//! Progress of the work on an image, for a caller that shows it.

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A piece of work begins, of so many bytes if that is known.
    Begin { what: &'a str, bytes: Option<u64> },
    /// So many bytes more are done.
    Advance(u64),
    /// The piece is done.
    End,
    /// Another illico does the same work; it is waited for.
    Wait,
    /// The image will differ from what it is made of, in this.
    Warning(&'a str),
}

/// Called with each step.
pub type Watch<'a> = &'a mut dyn FnMut(Progress<'_>);

/// A no-op watch.
pub fn unwatched(_: Progress<'_>) {}
