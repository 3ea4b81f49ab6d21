//! Where things go in a picture: a scale, its ticks, and rows in which nothing overlaps.
//!
//! Pure arithmetic in pixels; nothing here knows of SVG.

use std::ops::Range;

/// Pixels that a character is taken to be wide at the size of labels. Generous, since fonts differ.
pub const CHARACTER: f64 = 6.6;
/// Pixels between a bar and its label, and after a label.
pub const GAP: f64 = 5.0;
/// The narrowest bar that can be seen.
pub const NARROWEST: f64 = 1.0;

/// Time to pixels.
#[derive(Debug, Clone)]
pub struct Scale {
    time: Range<u64>,
    width: f64,
}

impl Scale {
    /// `time` on `width` pixels.
    pub fn new(time: Range<u64>, width: f64) -> Self {
        Self { time, width }
    }

    /// Its width in pixels.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Its time.
    pub fn time(&self) -> Range<u64> {
        self.time.clone()
    }

    /// Where that moment is; moments outside are at the edge.
    pub fn x(&self, at: u64) -> f64 {
        let length = self.time.end.saturating_sub(self.time.start).max(1);
        let at = at.clamp(self.time.start, self.time.end.max(self.time.start)) - self.time.start;
        at as f64 / length as f64 * self.width
    }

    /// A bar that can be seen and is within the width.
    pub fn bar(&self, begin: u64, end: u64) -> (f64, f64) {
        let (from, to) = (self.x(begin), self.x(end));
        let wide = (to - from).max(NARROWEST).min(self.width);
        (from.min(self.width - wide), wide)
    }

    /// Round moments, at least `apart` pixels from one another.
    pub fn ticks(&self, apart: f64) -> Vec<u64> {
        let length = self.time.end.saturating_sub(self.time.start).max(1);
        let least = (length as f64 * apart / self.width).max(1.0);
        let mut step = 1u64;
        while (step as f64) < least {
            // 1, 2, 5, 10, ...
            let lead = step / 10u64.pow(step.ilog10());
            step = if lead == 2 { step / 2 * 5 } else { step * 2 };
        }
        let first = self.time.start.next_multiple_of(step);
        (0..).map(|n| first + n * step).take_while(|&at| at <= self.time.end).collect()
    }
}

/// A bar with a label, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// When it begins.
    pub begin: u64,
    /// When it ends.
    pub end: u64,
    /// What is written on it or beside it.
    pub label: String,
}

/// A bar with a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Which item.
    pub item: usize,
    /// Counted from above.
    pub row: usize,
    /// Its left edge.
    pub x: f64,
    /// Its width.
    pub width: f64,
    /// Its label's left edge, and as much of it as fits.
    pub label: (f64, String),
    /// Whether the label is on the bar.
    pub inside: bool,
}

impl Placed {
    /// From where to where it takes its row.
    pub fn extent(&self) -> (f64, f64) {
        let (at, text) = &self.label;
        (self.x.min(*at), (self.x + self.width).max(at + width_of(text)))
    }
}

/// How wide a text is taken to be.
pub fn width_of(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { CHARACTER } else { 2.0 * CHARACTER }).sum()
}

/// As much of a text as fits into so many pixels.
pub fn cut(text: &str, width: f64) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let ellipsis = width_of("…");
    for c in text.chars() {
        let mut buffer = [0; 4];
        if width_of(&cut) + width_of(c.encode_utf8(&mut buffer)) + ellipsis > width {
            break;
        }
        cut.push(c);
    }
    if cut.is_empty() { cut } else { cut + "…" }
}

/// Gives each item the first row in which it and its label overlap nothing.
pub fn pack(items: &[Item], scale: &Scale) -> Vec<Placed> {
    let mut order: Vec<_> = (0..items.len()).collect();
    order.sort_by_key(|&index| (items[index].begin, std::cmp::Reverse(items[index].end)));
    let mut rows: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut placed = Vec::with_capacity(items.len());
    for index in order {
        let mut one = place(index, &items[index], scale);
        let (from, to) = one.extent();
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|&(begin, end)| to + GAP <= begin || end + GAP <= from);
        one.row = rows.iter().position(free).unwrap_or(rows.len());
        if one.row == rows.len() {
            rows.push(Vec::new());
        }
        rows[one.row].push((from, to));
        placed.push(one);
    }
    placed
}

/// The label is on the bar, or behind it, or before it; cut where none of these has room for all of it.
fn place(item: usize, Item { begin, end, label }: &Item, scale: &Scale) -> Placed {
    let (x, width) = scale.bar(*begin, *end);
    // Beside a narrow bar there is always half of the picture free.
    let label = cut(label, scale.width / 2.0 - NARROWEST - 2.0 * GAP);
    let wide = width_of(&label);
    let (at, label, inside) = if wide + 2.0 * GAP <= width {
        (x + GAP, label, true)
    } else if x + width + GAP + wide <= scale.width {
        (x + width + GAP, label, false)
    } else if x - GAP - wide >= 0.0 {
        (x - GAP - wide, label, false)
    } else {
        (x + GAP.min(width / 2.0), cut(&label, width - 2.0 * GAP), true)
    };
    Placed { item, row: 0, x, width, label: (at, label), inside }
}

#[cfg(test)]
#[path = "layout_test.rs"]
mod tests;
