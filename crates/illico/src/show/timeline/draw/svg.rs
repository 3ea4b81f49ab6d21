//! The picture: a panel from exec to the guest's first instruction, and one of everything.
//!
//! A lane of many spans begins with a ribbon that has all of them, those too narrow to be told apart as one; below are
//! the longest with their names. Hovering shows the rest. Both colour schemes are in it; nothing is loaded from elsewhere.

use std::fmt::Write;
use std::ops::Range;

use super::exits_strip;
use super::layout::{self, Item, Scale};
use super::words::{duration, moment};
use crate::show::markup::escape;
use crate::show::timeline::story::{ENDED, FIRST_RUN, GUEST, INITCALLS, LOG, MONITOR, Span, Story};

/// Pixels of the picture, and of the column with the lanes' names.
const WIDTH: f64 = 1280.0;
const NAMES: f64 = 84.0;
const MARGIN: f64 = 14.0;
const ROW: f64 = 17.0;
const BAR: f64 = 13.0;
const RIBBON: f64 = 12.0;

/// Names beside a lane at most: more would be a list, and there is the page's table for that.
const NAMED: usize = 22;
/// Characters of a name at most.
const LONGEST: f64 = 60.0;
/// What is shorter than this part of its panel has no name there.
const LEAST_NAMED: u64 = 500;

const STYLE: &str = "\
text{font:11px 'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace;fill:var(--ink)}\
.t{font-weight:bold;font-size:13px}.l{fill:var(--dim)}.on{fill:var(--on)}\
.bg{fill:var(--paper)}.grid{stroke:var(--grid)}.mark{stroke:var(--mark);stroke-dasharray:3 3}.marked{fill:var(--mark)}\
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}\
.thin{opacity:.55}\
:root{--paper:#ffffff;--ink:#1d2430;--dim:#5b6675;--grid:#e3e7ec;--mark:#b3261e;--on:#ffffff;\
--c0:#2f6db5;--c1:#2e7d4f;--c2:#8a5a00;--c3:#7b4fa3;--c4:#b0413e;--c5:#4a5a6a;--c6:#8b95a1;--c7:#007a8a}\
@media(prefers-color-scheme:dark){:root{--paper:#14181e;--ink:#e3e7ec;--dim:#9aa5b3;--grid:#2a313a;--mark:#ff8a80;--on:#0d1014;\
--c0:#79b0f0;--c1:#6fcf97;--c2:#e0b35a;--c3:#c39be8;--c4:#f09a96;--c5:#a9b6c4;--c6:#77818d;--c7:#4fc9d6}}";

/// Draws the story.
pub fn draw(story: &Story) -> String {
    let mut canvas = Canvas::default();
    let ended = story.mark(ENDED).unwrap_or(story.end).max(1);
    let first_run = story.mark(FIRST_RUN).unwrap_or(ended);
    let threads: Vec<&str> = threads(story);
    // A monitor that takes most of the time needs no glass.
    let magnified = first_run < ended / 2;
    if magnified {
        canvas.title(&format!("From exec to the first KVM_RUN: {}", duration(first_run)));
        canvas.panel(story, 0..first_run, &threads, &[]);
        canvas.y += ROW;
    }
    let accounted = &story.accounted;
    canvas.title(&format!(
        "From exec to the guest's end: {}; of {} until {}, {:.1} % has a name",
        duration(ended),
        duration(accounted.total),
        escape(&accounted.until),
        100.0 * accounted.share
    ));
    let lanes: Vec<&str> = threads.iter().copied().chain([GUEST, LOG, INITCALLS]).collect();
    canvas.panel(story, 0..ended, &lanes, if magnified { &threads } else { &[] });
    if let Some(exits) = &story.exits {
        canvas.y += ROW / 2.0;
        let scale = Scale::new(0..ended, WIDTH - NAMES - 2.0 * MARGIN);
        let (strip, height) = exits_strip::draw(exits, &scale, NAMES + MARGIN, canvas.y);
        canvas.out.push_str(&strip);
        canvas.y += height;
    }
    canvas.finish()
}

/// The monitor's threads, the main one first.
fn threads(story: &Story) -> Vec<&str> {
    let mut lanes = vec![MONITOR];
    for span in &story.spans {
        if ![MONITOR, GUEST, LOG, INITCALLS].contains(&span.lane.as_str()) && !lanes.contains(&span.lane.as_str()) {
            lanes.push(&span.lane);
        }
    }
    lanes
}

#[derive(Default)]
struct Canvas {
    out: String,
    y: f64,
}

impl Canvas {
    fn title(&mut self, text: &str) {
        self.y += MARGIN + ROW;
        let _ = writeln!(self.out, "<text class=\"t\" x=\"{MARGIN}\" y=\"{:.1}\">{text}</text>", self.y);
        self.y += ROW / 2.0;
    }

    /// Lanes on one scale, some of them without names, since those are elsewhere.
    fn panel(&mut self, story: &Story, time: Range<u64>, lanes: &[&str], nameless: &[&str]) {
        let left = NAMES + MARGIN;
        let scale = Scale::new(time.clone(), WIDTH - left - MARGIN);
        let marks: Vec<_> = story.marks.iter().filter(|mark| time.contains(&mark.at) || mark.at == time.end).collect();
        let items: Vec<_> =
            marks.iter().map(|mark| Item { begin: mark.at, end: mark.at, label: escape(&mark.name) }).collect();
        let placed = layout::pack(&items, &scale);
        let rows = placed.iter().map(|one| one.row + 1).max().unwrap_or(0);
        // Lines first, so that everything else is drawn over them; how long they are is known at the end.
        let (top, grid_at) = (self.y, self.out.len());
        self.y += rows as f64 * ROW + ROW;
        for one in &placed {
            let y = top + one.row as f64 * ROW + BAR;
            let _ = writeln!(
                self.out,
                "<text class=\"marked\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                left + one.label.0,
                one.label.1
            );
        }
        let ticks = scale.ticks(90.0);
        let step = ticks.get(1).map_or(time.end, |second| second - ticks[0]);
        for &tick in &ticks {
            let text = moment(tick, step);
            let x = (left + scale.x(tick)).min(WIDTH - MARGIN - layout::width_of(&text));
            let _ =
                writeln!(self.out, "<text class=\"l\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>", x + 2.0, self.y - 4.0);
        }
        for lane in lanes {
            let spans: Vec<_> = story
                .spans
                .iter()
                .filter(|span| span.lane == *lane && span.begin < time.end && span.end > time.start)
                .collect();
            if !spans.is_empty() {
                self.lane(lane, &spans, &scale, !nameless.contains(lane));
            }
        }
        let mut grid = String::new();
        let bottom = self.y;
        for tick in ticks {
            let x = left + scale.x(tick);
            let from = top + rows as f64 * ROW;
            let _ = writeln!(grid, "<path class=\"grid\" d=\"M{x:.1} {from:.1}V{bottom:.1}\"/>");
        }
        for mark in marks {
            let x = left + scale.x(mark.at);
            let _ = writeln!(grid, "<path class=\"mark\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>");
        }
        self.out.insert_str(grid_at, &grid);
    }

    /// A ribbon of everything, and rows of the longest.
    fn lane(&mut self, lane: &str, spans: &[&Span], scale: &Scale, with_names: bool) {
        let left = NAMES + MARGIN;
        let colour = match lane {
            MONITOR => "c0",
            GUEST => "c1",
            LOG => "c2",
            INITCALLS => "c3",
            _ => "c5",
        };
        let name = layout::cut(&escape(lane), NAMES - layout::GAP);
        let _ = writeln!(self.out, "<text class=\"l\" x=\"{MARGIN}\" y=\"{:.1}\">{name}</text>", self.y + BAR - 2.0);
        let named = if with_names { longest(spans, scale) } else { Vec::new() };
        let all_named = named.len() == spans.len();
        if !all_named {
            for (x, width, title) in ribbon(spans, scale) {
                let _ = writeln!(
                    self.out,
                    "<rect class=\"{colour} thin\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{RIBBON}\"><title>{title}</title></rect>",
                    left + x,
                    self.y
                );
            }
            self.y += ROW;
        }
        let item = |span: &&Span| Item {
            begin: span.begin.max(scale.time().start),
            end: span.end.min(scale.time().end),
            label: format!("{} {}", layout::cut(&span.name, LONGEST * layout::CHARACTER), duration(span.took())),
        };
        let items: Vec<_> = named.iter().map(item).collect();
        let placed = layout::pack(&items, scale);
        for one in &placed {
            let y = self.y + one.row as f64 * ROW;
            let _ = write!(
                self.out,
                "<g><title>{}</title><rect class=\"{colour}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
                title(named[one.item]),
                left + one.x,
                one.width
            );
            let (class, x) = (if one.inside { " class=\"on\"" } else { "" }, left + one.label.0);
            let _ = writeln!(
                self.out,
                "<text{class} x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>",
                y + BAR - 2.5,
                escape(&one.label.1)
            );
        }
        self.y += placed.iter().map(|one| one.row + 1).max().unwrap_or(0) as f64 * ROW + 4.0;
    }

    fn finish(self) -> String {
        let height = self.y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\">\n\
             <style>{STYLE}</style>\n<rect class=\"bg\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n{}</svg>\n",
            self.out
        )
    }
}

/// The longest spans that are worth a name.
fn longest<'a>(spans: &[&'a Span], scale: &Scale) -> Vec<&'a Span> {
    let time = scale.time();
    let least = (time.end - time.start) / LEAST_NAMED;
    let mut longest: Vec<_> = spans.iter().copied().filter(|span| span.took() >= least).collect();
    longest.sort_by_key(|span| std::cmp::Reverse(span.took()));
    longest.truncate(NAMED);
    longest
}

/// Bars of all spans, left to right; neighbours too narrow to be told apart are one.
fn ribbon(spans: &[&Span], scale: &Scale) -> Vec<(f64, f64, String)> {
    let mut bars: Vec<(f64, f64, String)> = Vec::new();
    let mut small: Vec<&Span> = Vec::new();
    for span in spans {
        // A hair of background tells neighbours apart.
        let (x, width) = scale.bar(span.begin, span.end);
        if width >= 2.5 {
            merge(&mut small, scale, &mut bars);
            bars.push((x, width - 0.5, title(span)));
        } else {
            if small.first().is_some_and(|first| scale.x(span.end) - scale.x(first.begin) > 4.0) {
                merge(&mut small, scale, &mut bars);
            }
            small.push(span);
        }
    }
    merge(&mut small, scale, &mut bars);
    bars
}

fn merge(small: &mut Vec<&Span>, scale: &Scale, bars: &mut Vec<(f64, f64, String)>) {
    let (Some(first), Some(end)) = (small.first(), small.iter().map(|span| span.end).max()) else { return };
    let (x, width) = scale.bar(first.begin, end);
    let text = match small.len() {
        1 => title(first),
        more => format!("{more} of them, {}; the first: {}", duration(end - first.begin), title(first)),
    };
    bars.push((x, width, text));
    small.clear();
}

fn title(span: &Span) -> String {
    let detail = if span.detail.is_empty() { String::new() } else { format!(" ({})", span.detail) };
    escape(&format!("{}{detail}: {}, from {} on", span.name, duration(span.took()), duration(span.begin)))
}

#[cfg(test)]
#[path = "svg_test.rs"]
mod tests;
