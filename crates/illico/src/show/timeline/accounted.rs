//! How much of the time has a name, and where it has none.

use serde::{Deserialize, Serialize};

/// Gaps that are listed; the rest is in the sum.
const GAPS: usize = 10;

/// The time from exec to the moment that was waited for, and what of it has a name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Accounted {
    /// The moment: `command started`, else `init`, else `the guest ended`.
    pub until: String,
    /// From exec to there.
    #[serde(rename = "total_ns")]
    pub total: u64,
    /// In at least one span.
    #[serde(rename = "named_ns")]
    pub named: u64,
    /// One by the other.
    pub share: f64,
    /// The largest stretches without a name.
    pub unnamed: Vec<Gap>,
}

/// A stretch of time without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Where it begins.
    #[serde(rename = "begin_ns")]
    pub begin: u64,
    /// Where it ends.
    #[serde(rename = "end_ns")]
    pub end: u64,
}

impl Accounted {
    /// Of the time from exec to the moment `until`, `total` nanoseconds later, what lies in a span: a begin and an end.
    pub fn of(until: &str, total: u64, mut spans: Vec<(u64, u64)>) -> Self {
        spans.sort_unstable();
        let (mut gaps, mut reached) = (Vec::new(), 0);
        for (begin, end) in spans.into_iter().chain([(total, total)]) {
            let begin = begin.min(total);
            if begin > reached {
                gaps.push(Gap { begin: reached, end: begin });
            }
            reached = reached.max(end);
        }
        let named = total - gaps.iter().map(|gap| gap.end - gap.begin).sum::<u64>();
        let share = if total == 0 { 1.0 } else { named as f64 / total as f64 };
        gaps.sort_by_key(|gap| std::cmp::Reverse(gap.end - gap.begin));
        gaps.truncate(GAPS);
        Self { until: until.to_owned(), total, named, share, unnamed: gaps }
    }
}
