//! How much of the time has a name, and where it has none.

use serde::{Deserialize, Serialize};

use super::story::{COMMAND_STARTED, ENDED, GUEST, INIT, Story};

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
    /// Looks at all lanes but the guest's phases: those are only a coarser view of its log.
    pub fn of(story: &Story) -> Self {
        let until = [COMMAND_STARTED, INIT, ENDED].into_iter().find(|name| story.mark(name).is_some());
        let (until, total) = until.map_or(("the end", story.end), |name| (name, story.mark(name).unwrap_or(story.end)));
        let mut spans: Vec<_> =
            story.spans.iter().filter(|span| span.lane != GUEST).map(|span| (span.begin, span.end)).collect();
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
