//! What the monitor did when: spans of host time, collected by a value that is handed to those who do the work.
//!
//! [`Spans::default`] keeps nothing: a span then costs a branch. From [`Spans::since`] on it costs two readings of the
//! clock and a place in a list whose memory was taken beforehand. The list is bounded: what does not fit is counted.
//! Not here: what a guest's memory and exits tell about time (`timeline`), and pictures (crates/illico).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Spans at most. A boot with ten devices has about 200.
const MAX_SPANS: usize = 4096;

/// A piece of work, or with equal ends a moment. Times are nanoseconds since the moment given to [`Spans::since`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What was done: a KVM call by its name in api.rst, the rest in words.
    pub name: Cow<'static, str>,
    /// With what, where that tells several of the same name apart.
    pub detail: String,
    /// The name of the thread that did it.
    pub thread: String,
    /// When it began.
    pub begin: u64,
    /// When it was done.
    pub end: u64,
}

/// Collects spans, or keeps nothing. Clones collect into the same list.
#[derive(Debug, Clone, Default)]
pub struct Spans(Option<Arc<Collector>>);

#[derive(Debug)]
struct Collector {
    zero: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Span>,
    left_out: u64,
}

impl Collector {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_zero(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.zero).as_nanos() as u64
    }

    fn keep(&self, name: &'static str, detail: String, begin: Instant, end: Instant) {
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let span = Span { name: name.into(), detail, thread, begin: self.since_zero(begin), end: self.since_zero(end) };
        let mut kept = self.kept();
        if kept.spans.len() < MAX_SPANS {
            kept.spans.push(span);
        } else {
            kept.left_out += 1;
        }
    }
}

impl Spans {
    /// Collects from now on; times are counted from `zero`, such as the beginning of `main`.
    pub fn since(zero: Instant) -> Self {
        let kept = Mutex::new(Kept { spans: Vec::with_capacity(MAX_SPANS), left_out: 0 });
        Self(Some(Arc::new(Collector { zero, kept })))
    }

    /// Whether spans are kept.
    #[inline]
    pub fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Removes the spans collected so far, in the order in which they ended, and how many did not fit.
    pub fn take(&self) -> (Vec<Span>, u64) {
        let Some(collector) = &self.0 else { return (Vec::new(), 0) };
        let Kept { spans, left_out } = std::mem::take(&mut *collector.kept());
        (spans, left_out)
    }

    /// Does `work`, and keeps how long that took.
    #[inline]
    pub fn timed<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let _span = self.open(name);
        work()
    }

    /// As [`Spans::timed`]; `detail` is called only if spans are kept.
    #[inline]
    pub fn timed_with<T>(&self, name: &'static str, detail: impl FnOnce() -> String, work: impl FnOnce() -> T) -> T {
        let mut open = self.open(name);
        if let Some(open) = &mut open {
            open.detail = detail();
        }
        work()
    }

    /// Opens a span that ends when it is dropped; `None` if spans are not kept.
    #[inline]
    pub fn open(&self, name: &'static str) -> Option<Open> {
        let collector = Arc::clone(self.0.as_ref()?);
        Some(Open { collector, name, detail: String::new(), begin: Instant::now() })
    }

    /// Keeps a span between two moments that the caller took.
    pub fn between(&self, name: &'static str, begin: Instant, end: Instant) {
        if let Some(collector) = &self.0 {
            collector.keep(name, String::new(), begin, end);
        }
    }

    /// Keeps a moment.
    #[inline]
    pub fn mark(&self, name: &'static str) {
        if self.are_kept() {
            let now = Instant::now();
            self.between(name, now, now);
        }
    }

    /// Nanoseconds from zero to now; 0 if spans are not kept.
    pub fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// Nanoseconds from zero to this moment; 0 if spans are not kept.
    pub fn at(&self, moment: Instant) -> u64 {
        self.0.as_ref().map_or(0, |collector| collector.since_zero(moment))
    }
}

/// A span that has begun.
#[derive(Debug)]
pub struct Open {
    collector: Arc<Collector>,
    name: &'static str,
    detail: String,
    begin: Instant,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.collector.keep(self.name, std::mem::take(&mut self.detail), self.begin, Instant::now());
    }
}

#[cfg(test)]
#[path = "spans_test.rs"]
mod tests;
