//! Rate-limited log lines about guest misbehaviour; logging never panics.
//!
//! A guest breaks a ring, or moves a BAR onto another one, as often as it likes, and must not fill a log
//! with that. How a line reaches standard error, and that no reader of it holds up the machine: `illico_memory::voice`.

use std::sync::atomic::{AtomicU32, Ordering};

pub use illico_memory::voice::say;

/// How many lines of one kind are logged.
const TOLD: u32 = 8;

/// Log lines of one kind about one device.
#[derive(Debug, Default)]
pub struct RateLimited {
    made: AtomicU32,
}

impl RateLimited {
    /// Logs one more on standard error, unless the limit is reached.
    pub fn log(&self, line: impl FnOnce() -> String) {
        if let Some(line) = self.next(line) {
            say(&line);
        }
    }

    /// The line, if it is below the limit.
    fn next(&self, line: impl FnOnce() -> String) -> Option<String> {
        let more = |made: u32| (made < TOLD).then_some(made + 1);
        let before = self.made.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let last = if before + 1 == TOLD { " (further messages of this kind are suppressed)" } else { "" };
        Some(line() + last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_misbehaves_for_ever_causes_eight_lines() {
        let complaints = RateLimited::default();
        let told: Vec<_> = (0..100_000).filter_map(|n| complaints.next(|| format!("attempt {n}"))).collect();
        assert_eq!(told.len(), 8);
        assert_eq!(told[..7], std::array::from_fn::<_, 7, _>(|n| format!("attempt {n}")));
        assert_eq!(told[7], "attempt 7 (further messages of this kind are suppressed)");
    }

    #[test]
    fn what_is_not_told_is_not_even_worded() {
        let complaints = RateLimited::default();
        (0..TOLD).for_each(|_| drop(complaints.next(String::new)));
        assert_eq!(complaints.next(|| panic!("worded")), None);
    }
}
