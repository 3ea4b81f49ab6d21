//! Bars as SVG (SVG 2), styled by the page that they are in. Lengths begin at nothing, so that they can be compared.

use std::fmt::Write;

use super::view::{Bar, Chart, Whose};
use crate::show::markup::escape;

/// In the units of the picture, which a page scales to its width.
const WIDTH: f64 = 720.0;
const LEFT: f64 = 178.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 24.0;
const ROW: f64 = 34.0;
const THICK: f64 = 18.0;

/// A chart with its caption, and a legend where its bars have parts.
pub fn chart(chart: &Chart) -> String {
    let most = chart.bars.iter().map(reach).fold(0.0, f64::max);
    let names: Vec<&str> =
        chart.bars.first().map(|bar| bar.parts.iter().map(|(name, _)| *name).collect()).unwrap_or_default();
    let legend = names.len() > 1;
    let runs = chart.bars.iter().any(|bar| bar.spread.is_some());
    let height = TOP + ROW * chart.bars.len() as f64 + if legend || runs { 22.0 } else { 4.0 };
    let said: Vec<_> = chart.bars.iter().map(|bar| format!("{}: {}", bar.label, bar.figure)).collect();
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n\
         <text class=\"quiet\" x=\"{LEFT}\" y=\"13\">{}</text>\n",
        escape(&said.join("; ")),
        escape(chart.caption)
    );
    let bottom = TOP + ROW * chart.bars.len() as f64;
    let _ = writeln!(out, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{LEFT}\" y1=\"{}\" y2=\"{bottom}\"/>", TOP - 2.0);
    let mut beyond = 0;
    for (row, bar) in chart.bars.iter().enumerate() {
        beyond += draw(bar, most, TOP + ROW * row as f64, &mut out);
    }
    if legend {
        explain(&names, bottom, &mut out);
    } else if runs {
        let more = if beyond > 0 { format!(" ({beyond} are further right)") } else { String::new() };
        let _ = writeln!(
            out,
            "<text class=\"quiet\" x=\"{LEFT}\" y=\"{}\">bar: median, dots: single runs{more}</text>",
            bottom + 15.0
        );
    }
    out.push_str("</svg>\n");
    out
}

/// How far to the right a bar wants to be seen: to a bit behind its upper quartile.
fn reach(bar: &Bar) -> f64 {
    bar.spread.as_ref().map_or(0.0, |spread| spread.high * 1.15).max(bar.value())
}

fn at(value: f64, most: f64) -> f64 {
    if most > 0.0 { LEFT + (RIGHT - LEFT) * value / most } else { LEFT }
}

/// Draws a bar; how many of its runs have no place.
fn draw(bar: &Bar, most: f64, y: f64, out: &mut String) -> usize {
    let middle = y + THICK / 2.0;
    let _ = writeln!(
        out,
        "<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>",
        LEFT - 10.0,
        middle + 5.0,
        escape(&bar.label)
    );
    let mut sum = 0.0;
    for (name, value) in &bar.parts {
        let class = match (bar.parts.len(), bar.whose) {
            (1, Whose::Ours) => "ours",
            (1, Whose::Other) => "other",
            _ => name,
        };
        let (from, to) = (at(sum, most), at(sum + value, most));
        // What is there at all is seen.
        let width = if *value > 0.0 { (to - from).max(1.0) } else { 0.0 };
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{THICK}\"/>"
        );
        sum += value;
    }
    let mut end = at(bar.value(), most);
    let mut beyond = 0;
    if let Some(spread) = &bar.spread {
        for (index, sample) in spread.samples.iter().enumerate() {
            if *sample > most {
                beyond += 1;
                continue;
            }
            // Three rows, so that runs of the same time are seen beside each other.
            let (x, y) = (at(*sample, most), middle + (index % 3) as f64 * 5.0 - 5.0);
            end = end.max(x);
            let _ = writeln!(out, "<circle class=\"run\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>");
        }
    }
    let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{}\">{}</text>", end + 9.0, middle + 5.0, escape(&bar.figure));
    beyond
}

fn explain(names: &[&str], bottom: f64, out: &mut String) {
    let mut x = LEFT;
    for name in names {
        let _ = writeln!(out, "<rect class=\"{name}\" x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\"/>", bottom + 5.0);
        let _ =
            writeln!(out, "<text class=\"quiet\" x=\"{}\" y=\"{}\">{}</text>", x + 15.0, bottom + 14.5, escape(name));
        x += 90.0;
    }
}

#[cfg(test)]
#[path = "svg_test.rs"]
mod tests;
