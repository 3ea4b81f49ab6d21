//! The lines of `illico top`: machines, and the vCPUs and queues of the one that is chosen.

use std::time::Duration;

use illico_machine::report::REASONS;
use illico_memory::voice::printable;

use crate::show::live::{MachineRates, Shares, VcpuRates};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Like text.
    Plain,
    /// The names of columns.
    Head,
    /// The machine that the lines below are about.
    Chosen,
    /// Less important.
    Faint,
}

/// A line, not wider than was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is on it.
    pub text: String,
    /// How it looks.
    pub look: Look,
}

fn line(text: String, look: Look) -> Line {
    Line { text, look }
}

/// Reasons that have a column of their own however narrow the terminal is, by their columns' names.
const COLUMNS: [(&str, &str); 8] = [
    ("port", "PORT"),
    ("mmio", "MMIO"),
    ("kick", "KICK"),
    ("memory", "MEM"),
    ("hlt", "HLT"),
    ("interrupt-window", "WIN"),
    ("host-interrupt", "HOST"),
    ("unaccounted", "UNACC"),
];
/// And those that have one where there is room; else they share one.
const WIDE_COLUMNS: [(&str, &str); 4] =
    [("hypercall", "HCALL"), ("nmi-window", "NMI"), ("signal", "SIG"), ("eoi", "EOI")];
/// Columns of a terminal in which they have.
const WIDE: usize = 110;

/// The whole screen: `rates` are not there before the second look.
pub fn screen(
    rates: Option<&[MachineRates]>,
    chosen: &str,
    interval: Duration,
    width: usize,
    height: usize,
) -> Vec<Line> {
    let Some(rates) = rates else { return vec![line("looking for a moment ...".to_owned(), Look::Faint)] };
    let machines = if rates.len() == 1 { "1 machine".to_owned() } else { format!("{} machines", rates.len()) };
    let title = format!("illico top: {machines}, in a second, over {} s", interval.as_secs());
    let mut lines = vec![line(title, Look::Faint)];
    if rates.is_empty() {
        let help = "no machine runs; `illico run` and `illico boot --name NAME` start some".to_owned();
        lines.push(line(help, Look::Plain));
    }
    let at = rates.iter().position(|machine| machine.name == chosen).unwrap_or(0);
    if let Some(machine) = rates.get(at) {
        let below = detail(machine, width);
        // Machines get what the rest leaves, but a few lines at least.
        let room = height.saturating_sub(lines.len() + below.len() + 2).max(3.min(rates.len()));
        let first = at.saturating_sub(room.saturating_sub(1)).min(rates.len().saturating_sub(room));
        lines.push(line(machine_head(width), Look::Head));
        for (index, machine) in rates.iter().enumerate().skip(first).take(room) {
            lines.push(line(machine_row(machine, width), if index == at { Look::Chosen } else { Look::Plain }));
        }
        lines.extend(below);
    }
    let keys = line("q leaves, up and down choose a machine".to_owned(), Look::Faint);
    let room = height.saturating_sub(1);
    if lines.len() > room {
        let hidden = lines.len() + 1 - room;
        lines.truncate(room.saturating_sub(1));
        lines.push(line(format!("... and {hidden} lines more: a taller terminal shows them"), Look::Faint));
    }
    lines.resize(room, line(String::new(), Look::Plain));
    lines.push(keys);
    for line in &mut lines {
        line.text = cut(&line.text, width);
    }
    lines
}

/// All of it, machine by machine.
pub fn all(rates: &[MachineRates], width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for machine in rates {
        if !lines.is_empty() {
            lines.push(line(String::new(), Look::Plain));
        }
        lines.push(line(machine_head(width), Look::Head));
        lines.push(line(machine_row(machine, width), Look::Plain));
        lines.extend(detail(machine, width));
    }
    lines
}

fn detail(machine: &MachineRates, width: usize) -> Vec<Line> {
    let mut lines = vec![line(String::new(), Look::Plain), line(vcpu_head(width), Look::Head)];
    lines.extend(machine.vcpus.iter().map(|vcpu| line(vcpu_row(vcpu, width), Look::Plain)));
    lines.push(line(String::new(), Look::Plain));
    let head =
        row("QUEUE", 16, 8, ["KICKS", "INTS", "SUPPR", "REQS", "FROM", "TO", "EX/REQ", "EX/MiB"].map(str::to_owned));
    lines.push(line(head, Look::Head));
    for queue in &machine.queues {
        let bytes = queue.from_guest + queue.to_guest;
        let figures = [
            number(queue.kicks),
            number(queue.interrupts),
            number(queue.suppressed),
            number(queue.requests),
            size(queue.from_guest),
            size(queue.to_guest),
            ratio(queue.kicks, queue.requests),
            ratio(queue.kicks, bytes / MIB),
        ];
        lines.push(line(row(&format!("{}/{}", queue.device, queue.number), 16, 8, figures), Look::Plain));
    }
    lines
}

const MIB: f64 = 1_048_576.0;

/// Columns of a machine's name: what the terminal has more goes there.
fn name_width(width: usize) -> usize {
    14 + width.saturating_sub(80).min(26)
}

fn machine_head(width: usize) -> String {
    let columns = ["EXITS", "KICKS", "INTS", "REQS", "BYTES", "EX/REQ", "EX/MiB"].map(str::to_owned);
    row("MACHINE", name_width(width), 7, columns) + "   GST  KRN  MON"
}

fn machine_row(machine: &MachineRates, width: usize) -> String {
    let figures = [
        number(machine.exits),
        number(machine.kicks),
        number(machine.interrupts),
        number(machine.requests),
        size(machine.bytes),
        ratio(machine.exits, machine.requests),
        ratio(machine.exits, machine.bytes / MIB),
    ];
    row(&machine.name, name_width(width), 7, figures) + &shares(machine.shares)
}

fn vcpu_head(width: usize) -> String {
    let mut columns = vec!["EXITS".to_owned()];
    columns.extend(COLUMNS.map(|(_, name)| name.to_owned()));
    match width >= WIDE {
        true => columns.extend(WIDE_COLUMNS.map(|(_, name)| name.to_owned())),
        false => columns.push("REST".to_owned()),
    }
    row("vCPU", 5, 6, columns) + "  GST  KRN  MON"
}

fn vcpu_row(vcpu: &VcpuRates, width: usize) -> String {
    let rate =
        |wanted: &str| REASONS.iter().zip(vcpu.reasons).find(|(reason, _)| **reason == wanted).map_or(0.0, |(_, r)| r);
    let mut figures = vec![vcpu.exits.map_or_else(|| "-".to_owned(), number)];
    figures.extend(COLUMNS.map(|(reason, _)| number(rate(reason))));
    match width >= WIDE {
        true => figures.extend(WIDE_COLUMNS.map(|(reason, _)| number(rate(reason)))),
        false => figures.push(number(WIDE_COLUMNS.iter().map(|(reason, _)| rate(reason)).sum())),
    }
    row(&vcpu.number.to_string(), 5, 6, figures) + &shares(vcpu.shares)[1..]
}

fn row(name: &str, name_width: usize, column: usize, figures: impl IntoIterator<Item = String>) -> String {
    let mut text = format!("{:<name_width$}", cut(name, name_width.saturating_sub(1)));
    for figure in figures {
        text.push_str(&format!("{figure:>column$}"));
    }
    text
}

/// Per cent of one CPU.
fn shares(shares: Shares) -> String {
    let share = |share: f64| format!("{share:.0}%");
    format!(" {:>5}{:>5}{:>5}", share(shares.guest), share(shares.kernel), share(shares.monitor))
}

/// At most five characters, of a number that is not negative.
fn number(value: f64) -> String {
    scaled(value, 1000.0, ["", "k", "M", "G", "T"])
}

/// Bytes, in at most five characters.
fn size(value: f64) -> String {
    scaled(value, 1024.0, ["", "K", "M", "G", "T"])
}

fn scaled(value: f64, step: f64, units: [&str; 5]) -> String {
    let mut value = value;
    let mut units = units.into_iter();
    let mut unit = units.next().unwrap_or_default();
    while value >= 999.5 {
        let Some(larger) = units.next() else { break };
        value /= step;
        unit = larger;
    }
    // A tenth is worth a place only where there are few.
    let tenths = if unit.is_empty() { value > 0.0 && value < 9.95 && value.fract() != 0.0 } else { value < 99.95 };
    if tenths { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

fn ratio(value: f64, of: f64) -> String {
    match of > 0.0 {
        true if value / of < 9.995 => format!("{:.2}", value / of),
        true => number(value / of),
        false => "-".to_owned(),
    }
}

fn cut(text: &str, width: usize) -> String {
    printable(text).chars().take(width).collect()
}

#[cfg(test)]
#[path = "table_test.rs"]
mod tests;
