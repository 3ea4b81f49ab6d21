//! A table's plotted column as horizontal bars: SVG, legible in both colour schemes, nothing from outside.

use std::fmt::Write;

use super::figures::Table;
use super::report::figure;

const WIDTH: f64 = 760.0;
const NAMES: f64 = 300.0;
const BARS: f64 = 360.0;
const LINE: f64 = 24.0;
const TOP: f64 = 44.0;
/// Bars of figures this far apart are drawn to a logarithmic scale, else the small ones vanish.
const WIDE: f64 = 50.0;

/// The plot.
pub fn svg(table: &Table) -> String {
    let bars: Vec<(&str, f64)> = table
        .rows
        .iter()
        .filter_map(|row| Some((row.name.as_str(), row.values.get(table.plotted).copied().flatten()?)))
        .collect();
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let least = bars.iter().map(|(_, value)| *value).filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
    let logarithmic = most / least > WIDE;
    let length = |value: f64| {
        if value <= 0.0 || most <= 0.0 {
            0.0
        } else if logarithmic {
            // The least bar is a twentieth of the largest.
            BARS * (0.05 + 0.95 * (value / least).ln() / (most / least).ln())
        } else {
            BARS * value / most
        }
    };
    let height = TOP + LINE * bars.len() as f64 + 10.0;
    let column = table.columns.get(table.plotted).map_or("", String::as_str);
    let scale = if logarithmic { " (logarithmic)" } else { "" };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <style>\n\
         text {{ font: 13px system-ui, sans-serif; fill: #1f2328 }} .title {{ font-weight: 600 }} .column {{ fill: #59636e }}\n\
         .illico {{ fill: #2f6fd0 }} .other {{ fill: #9aa4ae }} .back {{ fill: #ffffff }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} .column {{ fill: #9aa4ae }} .illico {{ fill: #5b9bff }}\n\
         .other {{ fill: #6e7781 }} .back {{ fill: #0d1117 }} }}\n\
         </style>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"10\" y=\"20\">{}</text><text class=\"column\" x=\"{NAMES}\" y=\"38\">{}{scale}</text>\n",
        escape(&table.title),
        escape(column)
    );
    for (index, (name, value)) in bars.iter().enumerate() {
        let y = TOP + LINE * index as f64;
        let class = if name.contains("illico") || !name.contains("QEMU") { "illico" } else { "other" };
        let width = length(*value);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect class=\"{class}\" x=\"{NAMES}\" y=\"{y}\" width=\"{width:.1}\" \
             height=\"16\" rx=\"2\"/><text x=\"{:.1}\" y=\"{}\">{}</text>",
            NAMES - 8.0,
            y + 13.0,
            escape(name),
            NAMES + width + 6.0,
            y + 13.0,
            figure(*value)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
#[path = "plot_test.rs"]
mod tests;
