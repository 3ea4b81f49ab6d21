//! What a queue did, counted.
//!
//! A counter has one writer, the thread that works the queue, and any number of readers: adding is a
//! load and a store, with no locked instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread adds to and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds, on the one thread that writes.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one queue, from its device's start to its end, resets included.
#[derive(Debug, Default)]
#[repr(align(64))]
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
