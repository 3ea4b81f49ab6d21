//! How long each thread of a monitor has run, and where: in the guest, in the kernel, or in the monitor itself
//! (proc(5), `/proc/PID/task/TID/stat`: utime, stime, guest_time, in ticks of 10 ms).
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use illico_memory::voice::printable;

/// Ticks of `/proc` in a second: USER_HZ of all Linux on x86.
pub const TICKS: f64 = 100.0;

/// Ticks of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// In the guest.
    pub guest: u64,
    /// In the kernel.
    pub kernel: u64,
    /// In the monitor's own code.
    pub monitor: u64,
}

impl Times {
    /// What has passed since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            guest: self.guest.saturating_sub(before.guest),
            kernel: self.kernel.saturating_sub(before.kernel),
            monitor: self.monitor.saturating_sub(before.monitor),
        }
    }
}

impl std::ops::Add for Times {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            guest: self.guest.saturating_add(other.guest),
            kernel: self.kernel.saturating_add(other.kernel),
            monitor: self.monitor.saturating_add(other.monitor),
        }
    }
}

/// A thread and its ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// `vcpu0`, `devices`, ...
    pub name: String,
    /// Since it began.
    pub times: Times,
}

impl Thread {
    /// The vCPU that it runs, if it does.
    pub fn vcpu(&self) -> Option<u8> {
        self.name.strip_prefix("vcpu")?.parse().ok()
    }
}

/// All threads of a process; none if the process is gone or belongs to another user.
pub fn of_process(pid: u32) -> Vec<Thread> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut threads: Vec<_> = tasks
        .flatten()
        .filter_map(|task| {
            let text = fs::read_to_string(task.path().join("stat")).ok()?;
            let mut thread = parse(&text)?;
            // The first thread has the name of the program; it serves the control loop.
            if task.file_name().to_str()?.parse() == Ok(pid) {
                thread.name = "control".to_owned();
            }
            Some(thread)
        })
        .collect();
    threads.sort_by(|a, b| a.name.cmp(&b.name));
    threads
}

/// The line of `stat`: the name is in parentheses and may hold anything, so what is behind the last one counts.
fn parse(stat: &str) -> Option<Thread> {
    let (before, fields) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    // Field 3 is the first behind the name.
    let mut fields = fields.split_ascii_whitespace();
    let utime: u64 = fields.nth(14 - 3)?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    let guest: u64 = fields.nth(43 - 16)?.parse().ok()?;
    // The kernel counts time in the guest as the thread's own as well.
    let times = Times { guest, kernel: stime, monitor: utime.saturating_sub(guest) };
    Some(Thread { name: printable(name), times })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_counted_from_the_last_parenthesis() {
        let stat = "77 (vcpu1) x) S 1 2 3 4 5 6 7 8 9 10 130 40 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 \
                    28 29 30 31 32 33 34 35 36 100 37 38 39\n";
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        assert_eq!((fields.get(11), fields.get(12), fields.get(40)), (Some(&"130"), Some(&"40"), Some(&"37")));
        let thread = parse(stat).unwrap();
        assert_eq!(thread.name, "vcpu1) x");
        assert_eq!(thread.times, Times { guest: 37, kernel: 40, monitor: 93 });
        for broken in ["", "1 (a", "1 (a) S 1", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 40"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn this_process_has_threads_with_times() {
        let threads = of_process(std::process::id());
        assert!(threads.iter().any(|thread| thread.name == "control"), "{threads:?}");
        assert_eq!(of_process(u32::MAX), []);
    }
}
