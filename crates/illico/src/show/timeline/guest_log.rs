//! What the guest's kernel says, and when by its own clock.
//!
//! With `initcall_debug` there are also `calling  name+0x0/0x10 @ 1` and `initcall name+0x0/0x10 returned 0 after
//! 12 usecs` (Documentation/admin-guide/kernel-parameters.txt). The bytes come from the guest.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use illico_machine::guest_log::Record;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds by the guest's clock.
    pub at: u64,
    /// What it says, with everything unprintable replaced.
    pub text: String,
}

/// What a line tells of an initcall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initcall<'a> {
    /// It is called.
    Calling(&'a str),
    /// It has returned.
    Returned(&'a str),
}

/// The lines in the order of the guest's clock.
pub fn read(records: &[Record]) -> Vec<Entry> {
    let mut entries: Vec<_> = records.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn entry(record: &Record) -> Entry {
    let text = String::from_utf8_lossy(&record.text);
    let text: String = text.trim_ascii().chars().map(printable).collect();
    Entry { at: record.at, text }
}

fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        // Nor what turns the direction of what is around it.
        c if !c.is_ascii_graphic() && c != ' ' && !c.is_alphanumeric() => '\u{fffd}',
        c => c,
    }
}

fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Entry {
    /// What it tells of an initcall.
    pub fn initcall(&self) -> Option<Initcall<'_>> {
        if let Some(rest) = self.text.strip_prefix("calling ") {
            return Some(Initcall::Calling(function(rest.trim_start())?));
        }
        let (name, rest) = self.text.strip_prefix("initcall ")?.split_once(" returned ")?;
        rest.contains(" after ").then_some(())?;
        Some(Initcall::Returned(function(name)?))
    }

    /// Whether it tells of a driver that looked at a device, which `initcall_debug` has as well.
    pub fn is_probe(&self) -> bool {
        self.text.starts_with("probe of ") && self.text.contains(" returned ")
    }

    /// What kvm-clock read when printk's clock began, where the line says so.
    pub fn sched_offset(&self) -> Option<u64> {
        let rest = self.text.strip_prefix("kvm-clock: using sched offset of ")?;
        digits(rest.split(' ').next()?)
    }

    /// By how much this clock fell behind while it counted ticks, where the line says so.
    pub fn sched_clock_lost(&self) -> Option<u64> {
        let (_, rest) = self.text.strip_prefix("sched_clock: Marking ")?.split_once("->(")?;
        let (_, offset) = rest.strip_suffix(')')?.split_once(", ")?;
        offset.parse::<i64>().ok().filter(|offset| *offset < 0).map(i64::unsigned_abs)
    }

    /// What a program of ours in the guest wants to be marked.
    pub fn mark(&self) -> Option<&str> {
        self.text.strip_prefix("illico: ").filter(|name| !name.is_empty())
    }
}

/// `name+0x0/0x10 [module] @ 1` without what is not its name.
fn function(text: &str) -> Option<&str> {
    let name = text.split(" @ ").next()?;
    Some(name.split('+').next().unwrap_or(name).trim()).filter(|name| !name.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "guest_log_test.rs"]
mod tests;
