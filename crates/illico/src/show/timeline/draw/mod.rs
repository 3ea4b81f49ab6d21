//! A timeline for people: a picture, a page, a few sentences.

mod exits_strip;
mod html;
mod layout;
mod svg;
mod words;

use std::fmt::Write;

pub use html::page;
pub use svg::draw;

use crate::show::timeline::story::Story;
use crate::show::timeline::why_slow;

/// What `--why-slow` says.
pub fn why_slow(story: &Story) -> String {
    let items = why_slow::largest(story);
    let mut out = String::new();
    let total = story.accounted.total;
    let (until, length) = (&story.accounted.until, words::duration(total));
    let _ = writeln!(out, "\nFrom exec until {until}: {length}. What took longest:");
    if items.is_empty() {
        out.push_str("nothing stands out.\n");
    }
    for (number, item) in items.iter().enumerate() {
        let share = 100.0 * item.took as f64 / total.max(1) as f64;
        let _ = writeln!(out, "{}. {} ({share:.0} %): {}.", number + 1, words::duration(item.took), item.what);
        let _ = writeln!(out, "   {}.", item.remedy);
    }
    out
}
