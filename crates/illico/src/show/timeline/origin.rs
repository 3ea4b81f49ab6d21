//! When exec was. No clock was read then, so it follows from what the kernel knows when `main` runs.
//!
//! Until then the process has one thread, which has computed (`CLOCK_PROCESS_CPUTIME_ID`), waited for a CPU
//! (`/proc/self/schedstat`), or waited for something else, such as pages of the program from a disk. The first two are
//! exact, and they are what is named. The third is known only by the tick of the fork (`starttime` of proc_pid_stat(5),
//! a hundredth of a second wide): as far as that says that there must have been more, more is counted, without a name.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A tick of `starttime`: USER_HZ is 100 on x86.
const TICK: Duration = Duration::from_millis(10);

/// What came before `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// From exec to `main`, computing or waiting for a CPU.
    pub named: Duration,
    /// What the process must have waited beside, by its age.
    pub unnamed: Duration,
    /// By how much more exec may have been earlier.
    pub uncertain: Duration,
}

impl Origin {
    /// To be asked while the process has one thread.
    pub fn before(main_began: Instant) -> Self {
        let since_main = main_began.elapsed();
        let computed = clock(ClockId::ProcessCPUTime);
        let waited = std::fs::read_to_string("/proc/self/schedstat").ok().and_then(|text| waited(&text));
        let named = (computed + waited.unwrap_or_default()).saturating_sub(since_main);
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let Some(start) = stat.and_then(|text| start_ticks(&text)) else {
            return Self { named, ..Self::default() };
        };
        let most = clock(ClockId::Boottime).saturating_sub(TICK * start).saturating_sub(since_main);
        Self::of(named, most)
    }

    /// `most` is the time from the beginning of the tick of the fork to `main`.
    fn of(named: Duration, most: Duration) -> Self {
        let least = most.saturating_sub(TICK);
        let unnamed = least.saturating_sub(named);
        Self { named, unnamed, uncertain: most.saturating_sub(named + unnamed) }
    }

    /// All of it.
    pub fn total(&self) -> Duration {
        self.named + self.unnamed
    }
}

fn clock(id: ClockId) -> Duration {
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}

/// The second number is nanoseconds on a run queue.
fn waited(schedstat: &str) -> Option<Duration> {
    schedstat.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// Field 22; the second one is a name in parentheses, which may have blanks and parentheses in it.
fn start_ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn within_the_tick_of_the_fork_nothing_is_missing() {
        let origin = Origin::of(3 * MS, 9 * MS);
        assert_eq!(origin, Origin { named: 3 * MS, unnamed: Duration::ZERO, uncertain: 6 * MS });
    }

    #[test]
    fn what_the_age_says_beyond_it_has_no_name() {
        let origin = Origin::of(3 * MS, 25 * MS);
        assert_eq!(origin, Origin { named: 3 * MS, unnamed: 12 * MS, uncertain: 10 * MS });
        assert_eq!(origin.total(), 15 * MS);
    }

    #[test]
    fn fields_are_found_behind_any_program_name() {
        let stat = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(start_ticks(stat), Some(4711));
        assert_eq!(start_ticks("12 (short) S 1"), None);
        assert_eq!(waited("123 456 7\n"), Some(Duration::from_nanos(456)));
    }

    #[test]
    fn this_process_has_an_origin() {
        let origin = Origin::before(Instant::now());
        assert!(origin.named > Duration::ZERO);
    }
}
