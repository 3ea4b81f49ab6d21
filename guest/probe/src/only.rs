//! Global state of a kernel with one vCPU and no preemption: what is here is touched by ring 3 code only, never by an
//! interrupt handler (those are in `entry.s` and only count).

use core::cell::UnsafeCell;

#[derive(Debug)]
pub(crate) struct Only<T>(UnsafeCell<T>);

// SAFETY: there is one thread of execution that reaches these values.
unsafe impl<T> Sync for Only<T> {}

impl<T> Only<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// # Safety
    /// No other reference from `get` on the same value is alive while this one is used.
    #[expect(clippy::mut_from_ref, reason = "this is the place where one thread gets its exclusive access")]
    pub(crate) unsafe fn get(&self) -> &mut T {
        // SAFETY: the caller's promise, and one thread.
        unsafe { &mut *self.0.get() }
    }
}
