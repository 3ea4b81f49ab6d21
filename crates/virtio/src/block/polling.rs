//! How long to busy-poll the ring for a request without a kick (`poll=adaptive`).
//!
//! A kick costs the guest an exit; looking costs the host CPU time. What pays off is learnt from how
//! soon requests came after the last completion: while they come within a bound, the window is
//! a few times as long as they took; when they stay away it halves down to no polling. An
//! idle disk so costs one window, once.

use std::fmt;
use std::hint::spin_loop;
use std::sync::Arc;
use std::time::Instant;

use crate::counters::PollCounters;

/// How often the ring is looked at before others on the loop get their turn, a few microseconds.
pub(super) const LOOKS: u32 = 64;

/// How often it is looked at for one request at most. Counted in looks, the bound is as long as a
/// guest on this host needs for as much work: 50 to 200 microseconds on hardware, more where it is emulated.
const MAX_LOOKS: u64 = 4096;

/// The bound in nanoseconds is between these, whatever was measured.
const BOUNDS: (u64, u64) = (50_000, 10_000_000);

/// The window in times of what the last request took to come. With twice, a look in ten found nothing
/// in a guest that only read: its timer ticked. With four times one in a hundred is, and a look that finds something
/// ends no later for it.
const TIMES: u64 = 4;

/// Nanoseconds below which looking cannot succeed: a guest needs some time to take an interrupt.
const MIN_TIME: u64 = 4_000;

/// How long to look, learnt from when requests came.
#[derive(Debug)]
pub(super) struct Window {
    /// The window is never longer than this. A guest whose next request takes longer sleeps meanwhile
    /// itself, and its kick is not what holds it up.
    bound: u64,
    /// For how long the next look lasts.
    length: u64,
    /// When the last request was completed, until the next one comes.
    completed: Option<u64>,
}

impl Window {
    pub(super) fn new(bound: u64) -> Self {
        Self { bound, length: 0, completed: None }
    }

    /// Requests were completed just now. Gives until when it is worth looking for the next one, if
    /// it is.
    pub(super) fn completed(&mut self, now: u64) -> Option<u64> {
        self.completed = Some(now);
        (self.length > 0).then(|| now.saturating_add(self.length))
    }

    /// The next request was there at `now`, announced or not.
    pub(super) fn arrived(&mut self, now: u64) {
        // Requests that come while others are in flight say nothing about the time after a completion.
        let Some(completed) = self.completed.take() else { return };
        let gap = now.saturating_sub(completed);
        let half = if self.length / 2 < MIN_TIME { 0 } else { self.length / 2 };
        self.length = if gap <= self.bound { (TIMES * gap).clamp(MIN_TIME, self.bound).max(half) } else { half };
    }
}

/// Nanoseconds since some moment.
#[derive(Clone)]
pub(super) struct Clock(pub(super) Arc<dyn Fn() -> u64 + Send + Sync>);

impl Default for Clock {
    fn default() -> Self {
        let epoch = Instant::now();
        Self(Arc::new(move || epoch.elapsed().as_nanos() as u64))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A worker's looks: the window, on the clock, and counted.
#[derive(Debug)]
pub(super) struct BusyPoll {
    counters: Arc<PollCounters>,
    window: Window,
    clock: Clock,
    /// Since when and until when, while the worker looks.
    span: Option<(u64, u64)>,
}

/// What [`MAX_LOOKS`] cost here, by the fastest of a few tries: the others were interrupted.
pub(super) fn bound(clock: &Clock) -> u64 {
    let tries = (0..4).map(|_| {
        let start = (clock.0)();
        (0..LOOKS).for_each(|_| spin_loop());
        (clock.0)().saturating_sub(start)
    });
    let (least, most) = BOUNDS;
    (tries.min().unwrap_or(0) * MAX_LOOKS / u64::from(LOOKS)).clamp(least, most)
}

impl BusyPoll {
    pub(super) fn new(counters: Arc<PollCounters>, clock: Clock, bound: u64) -> Self {
        Self { counters, window: Window::new(bound), clock, span: None }
    }

    /// Whether the worker looks.
    pub(super) fn is_on(&self) -> bool {
        self.span.is_some()
    }

    /// Requests were completed, and there is nothing more to do. Whether to look for the next one.
    pub(super) fn begin(&mut self) -> bool {
        let now = (self.clock.0)();
        match self.window.completed(now) {
            Some(until) => {
                let since = self.span.map_or(now, |(since, _)| since);
                self.span = Some((since, until));
            }
            None => self.end(now, false),
        }
        self.is_on()
    }

    /// A request has come.
    pub(super) fn arrived(&mut self) {
        let now = (self.clock.0)();
        self.window.arrived(now);
        self.end(now, true);
    }

    /// Ends the look if it has lasted long enough.
    pub(super) fn is_over(&mut self) -> bool {
        let now = (self.clock.0)();
        if self.span.is_some_and(|(_, until)| now >= until) {
            self.end(now, false);
        }
        !self.is_on()
    }

    fn end(&mut self, now: u64, found: bool) {
        if let Some((since, _)) = self.span.take() {
            let outcome = if found { &self.counters.found } else { &self.counters.empty };
            outcome.add(1);
            self.counters.nanoseconds.add(now.saturating_sub(since));
        }
    }
}

#[cfg(test)]
#[path = "polling_test.rs"]
mod tests;
