//! What is known of a machine's time when it has ended, beside the spans of the monitor: how the guest's clock stands to
//! the host's, what its kernel logged, and exits as they went on.

use std::time::Instant;

use crate::exit_samples::ExitSamples;
use crate::guest_log::Record;
use crate::spans::Spans;

/// How often the two clocks are read to pair them.
const PAIRS: usize = 5;

/// What is known of a machine's time when it has ended.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// When the guest's kvm-clock read 0, in nanoseconds on the axis of the spans.
    pub guest_clock_zero: Option<i64>,
    /// What the guest's kernel logged.
    pub log: Vec<Record>,
    /// Exits as they went on.
    pub exits: ExitSamples,
}

/// When the guest's kvm-clock, as `read` gives it in nanoseconds, read 0.
pub(crate) fn guest_clock_zero(spans: &Spans, read: impl Fn() -> Option<u64>) -> Option<i64> {
    let pair = || {
        let before = Instant::now();
        let guest = read()?;
        let after = Instant::now();
        let middle = i128::from(spans.at(before) + spans.at(after)) / 2;
        Some((after - before, (middle - i128::from(guest)) as i64))
    };
    // The narrowest pair is the one between whose readings nothing else ran.
    let narrowest = (0..PAIRS).filter_map(|_| pair()).min_by_key(|&(width, _)| width);
    narrowest.map(|(_, zero)| zero)
}

#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
