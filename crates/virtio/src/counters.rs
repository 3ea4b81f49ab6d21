//! What a queue did, counted.
//!
//! A counter has one writer, the thread that works the queue, and any number of readers, who may be other processes.

pub use illico_memory::Counter;
use illico_memory::Window;

/// Counters of one queue, from its device's start to its end, resets included.
#[derive(Debug, Default)]
pub struct QueueCounters {
    /// Interrupts raised.
    pub interrupts: Counter,
    /// Completions for which the driver wanted no interrupt.
    pub suppressed: Counter,
    /// Chains completed.
    pub requests: Counter,
    /// Bytes that the driver made readable in completed chains.
    pub bytes_from_guest: Counter,
    /// Bytes that the device wrote.
    pub bytes_to_guest: Counter,
}

impl QueueCounters {
    /// Bytes that they take in a window.
    pub const SIZE: usize = 5 * size_of::<u64>();

    /// Counters at `offset` of a window, in this order, or `None` where they do not fit.
    pub fn at(window: &Window, offset: usize) -> Option<Self> {
        let counter = |index: usize| Counter::at(window, offset.checked_add(index * size_of::<u64>())?);
        Some(Self {
            interrupts: counter(0)?,
            suppressed: counter(1)?,
            requests: counter(2)?,
            bytes_from_guest: counter(3)?,
            bytes_to_guest: counter(4)?,
        })
    }
}

/// What polling cost and what it was good for, by queue. Readable at any time.
#[derive(Debug, Default)]
pub struct PollCounters {
    /// Looks that found a request: each saved a kick.
    pub found: Counter,
    /// Looks that ended without one.
    pub empty: Counter,
    /// Time spent looking, in nanoseconds of host CPU.
    pub nanoseconds: Counter,
}
