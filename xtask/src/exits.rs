//! Exit histograms: how often a guest left for the host, by reason, as `count-exits` in the lab counts it.
//!
//! Reads lines `code name count`, with names as the kernel's arch/x86/include/uapi/asm/svm.h and vmx.h have them,
//! without their `SVM_EXIT_` or `EXIT_REASON_`. Does not count: KVM's tracepoint does.

use std::collections::BTreeMap;
use std::fmt;

use crate::Error;

/// Exits by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitHistogram {
    reasons: BTreeMap<u64, (String, u64)>,
}

impl ExitHistogram {
    /// Reads the file that `count-exits` writes.
    pub fn parse(text: &str) -> Result<ExitHistogram, Error> {
        let mut reasons = BTreeMap::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let bad = || Error::ExitLine { line: line.to_owned() };
            let [code, name, count] = line.split_whitespace().collect::<Vec<_>>()[..] else { return Err(bad()) };
            let code = code.parse().map_err(|_| bad())?;
            let count = count.parse().map_err(|_| bad())?;
            if reasons.insert(code, (name.to_owned(), count)).is_some() {
                return Err(bad());
            }
        }
        Ok(ExitHistogram { reasons })
    }

    /// Exits of this name: `IOIO`, `NPF`, `HLT`. A reason that never came up is 0.
    pub fn count(&self, name: &str) -> u64 {
        self.reasons.values().filter(|(reason, _)| reason == name).map(|(_, count)| count).sum()
    }

    /// Exits of all names with this beginning: `CR` is every access to a control register.
    pub fn count_prefix(&self, prefix: &str) -> u64 {
        self.reasons.values().filter(|(reason, _)| reason.starts_with(prefix)).map(|(_, count)| count).sum()
    }

    pub fn total(&self) -> u64 {
        self.reasons.values().map(|(_, count)| count).sum()
    }

    /// All but host interrupts, whose number depends on time and not on the monitor.
    pub fn without_intr(&self) -> u64 {
        self.total() - self.count("INTR")
    }
}

impl fmt::Display for ExitHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.reasons.values().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (name, count) in rows {
            writeln!(f, "{count:>10}  {name}")?;
        }
        write!(f, "{:>10}  without INTR, {} in all", self.without_intr(), self.total())
    }
}

#[cfg(test)]
#[path = "exits_test.rs"]
mod tests;
