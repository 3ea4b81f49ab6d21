//! What `illico demo` measured, for people: one screen of a terminal, section by section as it is measured.
//!
//! `view` says each experiment in words and bars; this file draws them with characters, `html` and `svg` as a page.

mod findings;
pub mod html;
mod spread;
mod svg;
pub mod view;
mod words;

use std::io::{IsTerminal, Write, stdout};

use crate::failure::Failure;
use crate::output;
use crate::output::colour;
use crate::terminal;
use view::{Bar, Section, Whose};

pub use findings::{Compute, Console, Deed, Disk, Findings, Host, Namespaces, Path, SCHEMA, Start, Way, Wild};
pub use spread::Spread;

/// Before and after what is drawn: nothing, where there is no colour.
#[derive(Debug, Clone, Copy)]
struct Paint {
    title: &'static str,
    quiet: &'static str,
    ours: &'static str,
    other: &'static str,
    plain: &'static str,
}

const COLOURS: Paint =
    Paint { title: "\x1b[1m", quiet: "\x1b[2m", ours: "\x1b[32m", other: "\x1b[33m", plain: "\x1b[0m" };
const NO_COLOURS: Paint = Paint { title: "", quiet: "", ours: "", other: "", plain: "" };

/// Columns where the width of the terminal is not known.
const COLUMNS: usize = 80;
/// Wider screens are not filled: a bar is read against its neighbour.
const MOST_COLUMNS: usize = 110;
/// Rows from which on everything fits on one screen with a line between sections, and what was typed above it.
const ROOMY: u16 = 28;

/// Where sections appear.
#[derive(Debug)]
pub struct Screen {
    /// Whether there is anything to be seen.
    on: bool,
    /// Whether a person watches the terminal.
    watched: bool,
    columns: usize,
    /// Whether there is room for empty lines.
    roomy: bool,
    paint: Paint,
}

impl Screen {
    /// Standard output; nothing at all if it is not `on`.
    pub fn open(on: bool) -> Self {
        let size = terminal::size(stdout());
        let columns = size.map_or(COLUMNS, |size| usize::from(size.columns));
        let roomy = size.is_none_or(|size| size.rows >= ROOMY);
        let paint = if colour::on_stdout() { COLOURS } else { NO_COLOURS };
        Self { on, watched: stdout().is_terminal(), columns: columns.min(MOST_COLUMNS), roomy, paint }
    }

    /// What it is about, and where.
    pub fn title(&self, host: &Host) -> Result<(), Failure> {
        let Paint { title, quiet, plain, .. } = self.paint;
        let words = "What a virtual machine costs, measured here and now";
        let place = words::cut(&host.processor, self.columns.saturating_sub(words.len() + 4));
        if self.on { self.print(&format!("{title}{words}{plain} {quiet}({place}){plain}\n")) } else { Ok(()) }
    }

    /// Makes an experiment and shows what it gave.
    pub fn measure<T>(
        &self,
        experiment: impl FnOnce() -> Result<T, Failure>,
        view: impl FnOnce(&T) -> Section,
    ) -> Result<T, Failure> {
        if self.on && self.watched {
            self.print("measuring ...")?;
        }
        let result = experiment();
        if self.on && self.watched {
            // Back to the beginning of the line, which is emptied.
            self.print("\r\x1b[K")?;
        }
        let found = result?;
        if self.on {
            let between = if self.roomy { "\n" } else { "" };
            self.print(&format!("{between}{}", section(&view(&found), self.columns, self.paint)))?;
        }
        Ok(found)
    }

    /// Prints.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = stdout().lock();
        output::stdout::written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }
}

/// Columns of what stands left of a bar, and right of it.
const LABEL: usize = 22;
const FIGURE: usize = 33;

/// A section: its reason beside its title, a line for each bar, or for each thing that happened.
fn section(section: &Section, columns: usize, paint: Paint) -> String {
    let Paint { title, quiet, ours, plain, .. } = paint;
    let reason = words::cut(section.reason, columns.saturating_sub(9));
    let mut out = format!("{title}{:<8}{plain} {quiet}{reason}{plain}\n", section.title);
    let bars = section.charts.first().map_or(&[][..], |chart| &chart.bars);
    let most = bars.iter().map(Bar::value).fold(0.0, f64::max);
    let room = columns.saturating_sub(2 + LABEL + 1 + 2 + FIGURE).max(4);
    for bar in bars {
        let colour = if bar.whose == Whose::Ours { ours } else { paint.other };
        let drawn = words::bar(bar.value(), most, room);
        let pad = " ".repeat(room - drawn.chars().count());
        let line = format!("  {:<LABEL$} {colour}{drawn}{plain}{pad}  {}", bar.label, bar.line);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    for (did, happened) in &section.events {
        let room = columns.saturating_sub(2 + 34 + 2);
        out.push_str(&format!("  {did:<34}  {ours}{}{plain}\n", words::cut(happened, room)));
    }
    out
}

#[cfg(test)]
#[path = "demo_test.rs"]
mod tests;
