//! Numbers that one thread adds to and any thread or process reads: in memory of our own, or in a window
//! that others have mapped as well.
//!
//! Adding is a load, an add and a store, with no locked instruction. With the feature `uncounted` it is
//! nothing: that build exists for measuring what counting costs, and for nothing else.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Window;

/// What keeps the numbers where they are.
#[derive(Clone)]
enum Keep {
    Window { _window: Window },
    Own { _numbers: Arc<[AtomicU64]> },
}

/// Some numbers in a row.
pub struct Counters {
    start: NonNull<AtomicU64>,
    len: usize,
    _keep: Keep,
}

// SAFETY: it points to atomics that `_keep` keeps mapped, wherever it goes.
unsafe impl Send for Counters {}
// SAFETY: as above; all access is atomic.
unsafe impl Sync for Counters {}

impl Counters {
    /// `len` zeroes.
    pub fn own(len: usize) -> Self {
        let numbers: Arc<[AtomicU64]> = (0..len).map(|_| AtomicU64::new(0)).collect();
        let start = NonNull::from(&*numbers).cast();
        Self { start, len, _keep: Keep::Own { _numbers: numbers } }
    }

    /// The `len` numbers at `offset` of a window, or `None` where they are not inside of it or not aligned.
    /// They lie there in the order of bytes of this machine, which is little-endian.
    pub fn at(window: &Window, offset: usize, len: usize) -> Option<Self> {
        let window = window.part(offset, len.checked_mul(size_of::<u64>())?)?;
        let start = window.start().cast::<AtomicU64>();
        start.is_aligned().then_some(Self { start, len, _keep: Keep::Window { _window: window } })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn number(&self, index: usize) -> Option<&AtomicU64> {
        if index >= self.len {
            return None;
        }
        // SAFETY: index < len, and all `len` numbers were inside when this was made.
        let at = unsafe { self.start.add(index) };
        // SAFETY: it is aligned and stays mapped as long as self lives; memory shared with others is
        // accessed atomically only.
        Some(unsafe { at.as_ref() })
    }

    /// Adds to one of them, on the one thread that writes. One that is not there is not counted.
    #[inline]
    pub fn add(&self, index: usize, n: u64) {
        if cfg!(feature = "uncounted") {
            return;
        }
        if let Some(number) = self.number(index) {
            number.store(number.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
        }
    }

    /// Sets one of them, on the one thread that writes.
    pub fn set(&self, index: usize, value: u64) {
        if let Some(number) = self.number(index) {
            number.store(value, Ordering::Relaxed);
        }
    }

    /// One of them now; 0 where there is none.
    pub fn get(&self, index: usize) -> u64 {
        self.number(index).map_or(0, |number| number.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len).map(|index| self.get(index))).finish()
    }
}

/// A single number.
pub struct Counter(Counters);

impl Counter {
    /// The number at `offset` of a window, or `None` where it is not inside of it or not aligned.
    pub fn at(window: &Window, offset: usize) -> Option<Self> {
        Counters::at(window, offset, 1).map(Self)
    }

    /// Adds, on the one thread that writes.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.add(0, n);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.get(0)
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self(Counters::own(1))
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counter({})", self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mapping, Pages};

    #[test]
    #[cfg(not(feature = "uncounted"))]
    fn what_is_added_is_seen_by_all_who_look_at_the_same_place() {
        let window = Mapping::anonymous(4096, Pages::Small).unwrap();
        let table = Counters::at(&window, 64, 4).unwrap();
        let same = Counter::at(&window, 64 + 8).unwrap();
        table.add(1, 5);
        same.add(2);
        table.add(3, 1);
        assert_eq!((0..5).map(|index| table.get(index)).collect::<Vec<_>>(), [0, 7, 0, 1, 0]);
        assert_eq!(same.get(), 7);
        table.add(4, 1);
        let mut bytes = [0; 8];
        window.copy_to(64 + 32, &mut bytes);
        assert_eq!(bytes, [0; 8], "the bytes behind the table belong to another table");
        drop(window);
        assert_eq!(table.get(1), 7, "the memory stays mapped as long as a counter refers to it");
    }

    #[test]
    fn a_place_that_is_not_inside_or_not_aligned_is_none() {
        let window = Mapping::anonymous(4096, Pages::Small).unwrap();
        for (offset, len) in [(4096, 1), (4088, 2), (4, 1), (usize::MAX - 7, 1), (0, usize::MAX), (8, usize::MAX / 8)] {
            assert!(Counters::at(&window, offset, len).is_none(), "{offset}, {len}");
        }
        assert!(Counters::at(&window, 4088, 1).is_some());
    }
}
