//! What took longest, in words, each with what would remove it.
//!
//! A rule speaks only where the timeline has its evidence: a span, a line of the log, exits that were counted. What no
//! rule knows is named by itself: the longest steps that are left. Nothing is said that has no figure.
//!
//! - `monitor.rs`: before the guest runs;
//! - `kernel.rs`: the guest's kernel, by its log and its initcalls;
//! - `exits.rs`: exits, and waiting.

mod exits;
mod kernel;
mod monitor;

use super::story::{GUEST, INITCALLS, LOG, MONITOR, Span, Story};

/// Items at most.
const MOST: usize = 5;
/// What is shorter than this part of the whole is not worth a sentence.
const LEAST: u64 = 100;

/// Something that took long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// How long.
    pub took: u64,
    /// What it was.
    pub what: String,
    /// What would remove it.
    pub remedy: String,
    /// The time it is about, so that nothing is said twice.
    covers: Vec<(u64, u64)>,
}

impl Item {
    /// About these spans.
    fn of(spans: &[&Span], what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let covers = spans.iter().map(|span| (span.begin, span.end)).collect();
        let took = spans.iter().map(|span| span.took()).sum();
        Self { took, what: what.into(), remedy: remedy.into(), covers }
    }

    /// Whether it has spoken of most of a span.
    fn covers(&self, span: &Span) -> bool {
        let common = |&(begin, end): &(u64, u64)| end.min(span.end).saturating_sub(begin.max(span.begin));
        2 * self.covers.iter().map(common).sum::<u64>() > span.took()
    }
}

/// The largest items.
pub fn largest(story: &Story) -> Vec<Item> {
    let mut items: Vec<_> = [monitor::items(story), kernel::items(story), exits::items(story)].concat();
    let known = items.clone();
    items.extend(unknown(story, &known));
    items.retain(|item| item.took > 0 && item.took >= story.accounted.total / LEAST);
    items.sort_by_key(|item| std::cmp::Reverse(item.took));
    items.truncate(MOST);
    items
}

/// Spans of one lane that begin before what was waited for.
fn lane<'a>(story: &'a Story, lane: &'a str) -> impl Iterator<Item = &'a Span> {
    story.spans.iter().filter(move |span| span.lane == lane && span.begin < story.accounted.total)
}

/// Spans that no rule has spoken of: of the guest's kernel its initcalls, where they are known, and steps of its log
/// where there is none; and what the monitor did.
fn unknown(story: &Story, known: &[Item]) -> Vec<Item> {
    let new = |span: &&Span| !known.iter().any(|item| item.covers(span));
    let initcalls: Vec<_> = lane(story, INITCALLS).filter(new).collect();
    let covered = |step: &Span| {
        initcalls.iter().map(|call| step.end.min(call.end).saturating_sub(step.begin.max(call.begin))).sum::<u64>()
    };
    let steps = lane(story, LOG).filter(new).filter(|step| covered(step) < step.took() / 2).map(|step| {
        let tells = if initcalls.is_empty() { "--timeline-initcalls tells which function that is" } else { UNTOLD };
        Item::of(
            &[step],
            format!("in the guest, from \u{201c}{}\u{201d} to the next line of its log", step.name),
            tells,
        )
    });
    // What the monitor did in one piece: of what has parts, the parts are spoken of.
    let in_parts = |span: &&Span| {
        let part = |other: &&Span| span.begin <= other.begin && other.end <= span.end && other.took() < span.took();
        2 * lane(story, MONITOR).filter(part).map(Span::took).sum::<u64>() > span.took()
    };
    let work = lane(story, MONITOR).filter(new).filter(|span| !in_parts(span)).map(|span| {
        Item::of(&[span], format!("the monitor, to {}", span.name), "this is its own work; a release build is faster")
    });
    let calls = initcalls.iter().map(|call| {
        let name = &call.name;
        let remedy = format!(
            "initcall_blacklist={name} tries whether the guest can do without it; a kernel built without it is smaller"
        );
        Item::of(&[call], format!("in the guest, the initcall {name}"), remedy)
    });
    steps.chain(calls).chain(work).collect()
}

/// What is said of a step that no initcall explains.
const UNTOLD: &str = "this is no initcall; the kernel's own set-up, which a smaller kernel has less of";

/// Whether the guest's kernel said that much.
fn has_log(story: &Story) -> bool {
    story.spans.iter().any(|span| span.lane == GUEST)
}

#[cfg(test)]
#[path = "why_slow_test.rs"]
mod tests;
