//! Bounded waiting: a device that never answers is a finding, not a hang.

use crate::gate::cycles;

/// TSC cycles that are at least a second on any machine of today.
const SECOND: u64 = 5_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(u64);

impl Patience {
    pub(crate) fn of_seconds(seconds: u64) -> Self {
        Self(seconds * SECOND)
    }

    pub(crate) fn of_milliseconds(milliseconds: u64) -> Self {
        Self(milliseconds * (SECOND / 1_000))
    }

    /// Asks again and again until there is an answer, or patience ends.
    pub(crate) fn wait<T>(self, mut answer: impl FnMut() -> Option<T>) -> Option<T> {
        let start = cycles();
        loop {
            if let Some(answer) = answer() {
                return Some(answer);
            }
            if cycles().wrapping_sub(start) > self.0 {
                return None;
            }
            core::hint::spin_loop();
        }
    }
}
