//! What the monitor did when: spans of host time from `main` to the end, kept in memory until somebody asks.
//!
//! There is one recorder for the process, since one machine is what a process runs. Until [`begin`] is called
//! a span costs one load and a branch; from then on two readings of the clock and a place in a list whose
//! memory was taken beforehand. The list is bounded: what does not fit is counted.
//! Not here: what the spans mean, the guest's own log, pictures (crates/illico).

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use illico_memory::Ram;

use crate::boot::places::Range;
use crate::exit_samples::ExitSamples;
use crate::guest_log::{self, Record};

/// Spans at most. A boot with ten devices has about 200.
const MOST: usize = 4096;

/// How much of the end of memory is searched for a log.
const LOG_AT_THE_END: u64 = 64 << 20;

static ON: AtomicBool = AtomicBool::new(false);
static RECORDER: OnceLock<Recorder> = OnceLock::new();

struct Recorder {
    zero: Instant,
    kept: Mutex<Recorded>,
}

/// A piece of work, or with equal ends a moment. Times are nanoseconds since the moment that [`begin`] was given.
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

/// Everything that was recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// In the order in which they ended.
    pub spans: Vec<Span>,
    /// How many did not fit.
    pub left_out: u64,
    /// When the guest's kvm-clock read 0.
    pub guest_clock_zero: Option<i64>,
    /// Where the kernel was loaded, and where else it may keep its log.
    pub log_places: Vec<Range>,
    /// What the guest's kernel said.
    pub log: Vec<Record>,
    /// Exits as they went on.
    pub exits: Option<ExitSamples>,
}

fn recorder() -> Option<&'static Recorder> {
    if ON.load(Ordering::Relaxed) { RECORDER.get() } else { None }
}

impl Recorder {
    fn kept(&self) -> MutexGuard<'_, Recorded> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_zero(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.zero).as_nanos() as u64
    }

    fn keep(&self, name: Cow<'static, str>, detail: String, begin: Instant, end: Instant) {
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let span = Span { name, detail, thread, begin: self.since_zero(begin), end: self.since_zero(end) };
        let mut kept = self.kept();
        if kept.spans.len() < MOST {
            kept.spans.push(span);
        } else {
            kept.left_out += 1;
        }
    }
}

/// Records from now on; `zero` is what times are counted from, such as the beginning of `main`.
pub fn begin(zero: Instant) {
    let kept = Mutex::new(Recorded { spans: Vec::with_capacity(MOST), ..Recorded::default() });
    if RECORDER.set(Recorder { zero, kept }).is_ok() {
        ON.store(true, Ordering::Relaxed);
    }
}

/// Whether anybody wants to know.
#[inline]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Ends the recording and gives what there is.
pub fn take() -> Recorded {
    let Some(recorder) = recorder() else { return Recorded::default() };
    ON.store(false, Ordering::Relaxed);
    std::mem::take(&mut *recorder.kept())
}

/// Does `work`, and records how long that took.
#[inline]
pub fn timed<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let _span = span(name);
    work()
}

/// As [`timed`]; `detail` is asked for only if somebody wants to know.
#[inline]
pub fn timed_with<T>(name: &'static str, detail: impl FnOnce() -> String, work: impl FnOnce() -> T) -> T {
    let mut open = span(name);
    if let Some(open) = &mut open {
        open.detail = detail();
    }
    work()
}

/// Opens a span that ends when it is dropped; nothing if nobody wants to know.
#[inline]
pub fn span(name: &'static str) -> Option<Open> {
    recorder().map(|recorder| Open { recorder, name: name.into(), detail: String::new(), begin: Instant::now() })
}

/// Records a span between two moments that the caller took.
pub fn between(name: &'static str, begin: Instant, end: Instant) {
    if let Some(recorder) = recorder() {
        recorder.keep(name.into(), String::new(), begin, end);
    }
}

/// Records a moment.
#[inline]
pub fn mark(name: &'static str) {
    if let Some(recorder) = recorder() {
        let now = Instant::now();
        recorder.keep(name.into(), String::new(), now, now);
    }
}

/// Nanoseconds from zero to now.
pub fn now() -> u64 {
    recorder().map_or(0, |recorder| recorder.since_zero(Instant::now()))
}

/// Pairs the guest's kvm-clock, as `read` gives it in nanoseconds, with the host's.
pub fn pair_guest_clock(read: impl Fn() -> Option<u64>) {
    let Some(recorder) = recorder() else { return };
    // The narrowest of a few is the one that nothing came between.
    let pair = || {
        let before = Instant::now();
        let guest = read()?;
        let after = Instant::now();
        let middle = i128::from(recorder.since_zero(before) + recorder.since_zero(after)) / 2;
        Some((after - before, (middle - i128::from(guest)) as i64))
    };
    let best = (0..5).filter_map(|_| pair()).min_by_key(|&(width, _)| width);
    recorder.kept().guest_clock_zero = best.map(|(_, zero)| zero);
}

/// Remembers where the guest's kernel may keep its log: in itself, or, if it is told to make it larger, in what it
/// gives away first, the end of memory.
pub fn expect_log(ram: &Ram, kernel: &[Range], command_line: &str) {
    let Some(recorder) = recorder() else { return };
    let mut places = kernel.to_vec();
    if command_line.contains("log_buf_len=")
        && let Some(region) = ram.regions().last()
    {
        let end = region.start.0 + region.window.len() as u64;
        let kernel = kernel.iter().map(|range| range.end).max().unwrap_or(0);
        places.push(Range { start: end.saturating_sub(LOG_AT_THE_END).max(region.start.0).max(kernel), end });
    }
    recorder.kept().log_places = places;
}

/// Reads the log of a guest that has ended.
pub fn read_log(ram: &Ram) {
    if let Some(recorder) = recorder() {
        let places = recorder.kept().log_places.clone();
        let log = guest_log::find(ram, &places);
        recorder.kept().log = log;
    }
}

/// Adds the exits that were sampled.
pub fn add_exits(samples: ExitSamples) {
    if let Some(recorder) = recorder() {
        recorder.kept().exits = Some(samples);
    }
}

/// A span that has begun.
pub struct Open {
    recorder: &'static Recorder,
    name: Cow<'static, str>,
    detail: String,
    begin: Instant,
}

impl Drop for Open {
    fn drop(&mut self) {
        let (name, detail) = (std::mem::take(&mut self.name), std::mem::take(&mut self.detail));
        self.recorder.keep(name, detail, self.begin, Instant::now());
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Open").field(&self.name).finish()
    }
}

#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
