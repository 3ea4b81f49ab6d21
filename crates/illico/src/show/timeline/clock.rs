//! The guest's clock on the host's.
//!
//! printk counts from the moment at which the guest first asked its kvm-clock, and says what that read ("using sched
//! offset of N cycles": nanoseconds). What kvm-clock reads on the host's clock was paired before the guest ran. So the
//! two are one clock, to about a microsecond. A guest without kvm-clock counts from somewhere after its first
//! instruction, which is all that is known of it.
//!
//! From `sched_clock_init` (before "Calibrating delay loop") until its clocksource is kvm-clock, Linux holds printk's
//! time to its count of ticks (kernel/sched/clock.c). Ticks that come too late to be counted are lost, and
//! so is their time: "sched_clock: Marking stable" tells in the end how much it was. It is given back, evenly
//! over that stretch.

use serde::{Deserialize, Serialize};

use super::guest_log::Entry;

/// The guest's clock on the axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestClock {
    /// `kvm-clock`, which is exact, or `first KVM_RUN`, which is the earliest that it can be.
    pub by: String,
    /// Where printk's time begins.
    #[serde(rename = "zero_ns")]
    pub zero: i64,
    /// By how much printk's time fell behind, by its own account.
    #[serde(rename = "lost_ns")]
    pub lost: u64,
    /// From where to where it did, by printk's time.
    #[serde(rename = "lost_between_ns")]
    pub lost_between: (u64, u64),
}

impl GuestClock {
    /// Finds it from what the log says, and what kvm-clock's zero and the first entry are on the axis.
    pub fn of(kvm_clock_zero: Option<i64>, first_run: u64, log: &[Entry]) -> Self {
        let when = |line: &str| log.iter().find(|entry| entry.text.starts_with(line)).map(|entry| entry.at);
        let offset = log.iter().find_map(Entry::sched_offset);
        let (by, zero) = match kvm_clock_zero.zip(offset) {
            Some((zero, offset)) => ("kvm-clock", zero.saturating_add_unsigned(offset)),
            None => ("first KVM_RUN", first_run as i64),
        };
        let stretch = when("Calibrating delay loop").zip(when("clocksource: Switched to clocksource"));
        let lost = log.iter().find_map(Entry::sched_clock_lost).zip(stretch.filter(|(from, to)| from < to));
        let (lost, lost_between) = lost.unwrap_or_default();
        Self { by: by.to_owned(), zero, lost, lost_between }
    }

    /// Where on the axis printk's time is `at`.
    pub fn place(&self, at: u64) -> i64 {
        let (from, to) = self.lost_between;
        let within = at.clamp(from, to) - from;
        let lost = match to - from {
            0 => 0,
            length => (u128::from(self.lost) * u128::from(within) / u128::from(length)) as u64,
        };
        self.zero.saturating_add_unsigned(at).saturating_add_unsigned(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, text: &str) -> Entry {
        Entry { at, text: text.to_owned() }
    }

    #[test]
    fn kvm_clock_tells_exactly() {
        let clock = GuestClock::of(Some(7_000_000), 1, &[line(0, "kvm-clock: using sched offset of 5000000 cycles")]);
        assert_eq!((clock.by.as_str(), clock.zero, clock.lost), ("kvm-clock", 12_000_000, 0));
        assert_eq!(clock.place(500), 12_000_500);
    }

    #[test]
    fn without_it_the_first_entry_is_the_earliest_that_it_can_be() {
        for zero in [None, Some(7)] {
            let clock = GuestClock::of(zero, 9, &[line(0, "Linux version 6.12")]);
            assert_eq!((clock.by.as_str(), clock.zero), ("first KVM_RUN", 9));
        }
    }

    #[test]
    fn lost_ticks_are_given_back_where_they_were_lost() {
        let log = [
            line(100, "Calibrating delay loop (skipped)"),
            line(300, "clocksource: Switched to clocksource kvm-clock"),
            line(500, "sched_clock: Marking stable (4562645626, 171170452)->(7726219352, -1000)"),
        ];
        let clock = GuestClock::of(None, 0, &log);
        assert_eq!([50, 100, 200, 300, 500].map(|at| clock.place(at)), [50, 100, 700, 1300, 1500]);
    }

    #[test]
    fn no_clock_overflows() {
        let log = [
            line(1, "Calibrating delay loop"),
            line(u64::MAX, "clocksource: Switched to clocksource x"),
            line(2, "sched_clock: Marking stable (1, 1)->(1, -9223372036854775808)"),
            line(3, "kvm-clock: using sched offset of 18446744073709551615 cycles"),
        ];
        let clock = GuestClock::of(Some(i64::MAX), 0, &log);
        assert_eq!(clock.place(u64::MAX), i64::MAX);
    }
}
