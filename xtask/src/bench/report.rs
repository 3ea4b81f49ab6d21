//! `docs/benchmarks.md`: every table with its boundary and its plot, written from the figures that are kept.

use std::fmt::Write;
use std::fs;

use super::figures::{Figures, Table, folder};
use super::plot;
use crate::{Error, project};

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench` from [figures.json](benchmarks/figures.json); `cargo xtask bench block net` measures those parts anew and keeps the rest.
Do not edit.

Counts of exits are the same on every machine. Times are given as ratios, measured pair by pair in one run. What needs Linux guests runs in the lab (an emulated
AMD machine with a complete KVM), whose clock here advances by a nanosecond for each instruction executed: so *instructions* stand for time, and they repeat. QEMU
is Debian 12's 7.2. Where a monitor has no row, its guest did not come to its end: now and then the lab's own QEMU stops one.
";

/// Writes the report and its plots.
pub fn write(figures: &Figures) -> Result<(), Error> {
    let mut page = HEAD.to_owned();
    for table in &figures.tables {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n![{}](benchmarks/{}.svg)\n\n",
            table.title, table.boundary, table.title, table.id
        );
        let _ = writeln!(page, "| | {} |", table.columns.join(" | "));
        let _ = writeln!(page, "| --- |{}", " ---: |".repeat(table.columns.len()));
        for row in &table.rows {
            let _ = writeln!(page, "| {} | {} |", row.name, cells(&row.values).join(" | "));
        }
        let path = folder().join(format!("{}.svg", table.id));
        fs::write(&path, plot::svg(table)).map_err(Error::file("write", &path))?;
    }
    let path = project::root().join("docs/benchmarks.md");
    fs::write(&path, page).map_err(Error::file("write", &path))
}

/// A table for a terminal.
pub fn text(table: &Table) -> String {
    let first = table.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = table.columns.iter().map(|column| column.chars().count().max(8)).collect();
    let mut text = format!("{}\n{:first$}", table.title, "");
    for (column, width) in table.columns.iter().zip(&widths) {
        let _ = write!(text, "  {column:>width$}");
    }
    for row in &table.rows {
        let _ = write!(text, "\n{:first$}", row.name);
        for (cell, width) in cells(&row.values).iter().zip(&widths) {
            let _ = write!(text, "  {cell:>width$}");
        }
    }
    text
}

fn cells(values: &[Option<f64>]) -> Vec<String> {
    values.iter().map(|value| value.map_or_else(|| "-".to_owned(), figure)).collect()
}

/// A figure as people write it: whole above 100, two digits behind the point below, thousands apart.
pub fn figure(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}
