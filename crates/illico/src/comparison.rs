//! What two reports have in common and where they differ. All vCPUs of a machine are one.

use illico_machine::report::{QueueReport, Report};
use serde::Serialize;

/// Name and version of the JSON.
const SCHEMA: &str = "illico-diff/1";

/// Two runs side by side. What both have none of is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    schema: &'static str,
    /// What the first one is called.
    pub a: String,
    /// What the second one is called.
    pub b: String,
    /// All exits.
    pub total: Row,
    /// Exits that the kernel handled, by reason.
    pub kernel: Vec<Row>,
    /// Exits handled by the monitor, by device and access.
    pub monitor: Vec<Row>,
    /// What each queue did.
    pub queues: Vec<Row>,
}

/// One figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Words of docs/exits.md.
    pub name: String,
    /// The first run's; absent where its host did not count it.
    pub a: Option<u64>,
    /// The second run's.
    pub b: Option<u64>,
    /// How many more the second run has.
    pub difference: Option<i64>,
    /// How many times as many; absent where the first has none.
    pub ratio: Option<f64>,
}

impl Row {
    fn new(name: String, a: Option<u64>, b: Option<u64>) -> Self {
        let difference = a.zip(b).map(|(a, b)| b as i64 - a as i64);
        let ratio = a.filter(|&a| a > 0).zip(b).map(|(a, b)| b as f64 / a as f64);
        Self { name, a, b, difference, ratio }
    }
}

/// Figures by name, in the order in which a report has them.
type Figures = Vec<(String, Option<u64>)>;

impl Comparison {
    /// Compares two reports with their names.
    pub fn of((a_name, a): (&str, &Report), (b_name, b): (&str, &Report)) -> Self {
        let total = |report: &Report| report.vcpus.iter().map(|vcpu| vcpu.exits).sum();
        Self {
            schema: SCHEMA,
            a: a_name.to_owned(),
            b: b_name.to_owned(),
            total: Row::new("exits".to_owned(), total(a), total(b)),
            kernel: rows(&kernel(a), &kernel(b)),
            monitor: rows(&monitor(a), &monitor(b)),
            queues: rows(&queues(a), &queues(b)),
        }
    }
}

/// The names of both in order: those that only the second has come after the one that they follow there.
fn rows(a: &Figures, b: &Figures) -> Vec<Row> {
    let mut names: Vec<&str> = a.iter().map(|(name, _)| name.as_str()).collect();
    let mut place = 0;
    for (name, _) in b {
        match names.iter().position(|known| known == name) {
            Some(at) => place = at + 1,
            None => {
                names.insert(place, name);
                place += 1;
            }
        }
    }
    // What a report does not list did not happen.
    let figure = |figures: &Figures, name: &str| {
        figures.iter().find(|(known, _)| known == name).map_or(Some(0), |(_, figure)| *figure)
    };
    let row = |name: &str| Row::new(name.to_owned(), figure(a, name), figure(b, name));
    names.into_iter().map(row).filter(|row| (row.a, row.b) != (Some(0), Some(0))).collect()
}

fn kernel(report: &Report) -> Figures {
    let mut figures = Figures::new();
    for row in report.vcpus.iter().flat_map(|vcpu| &vcpu.reasons) {
        // Only the monitor counts these.
        if matches!(row.reason.as_ref(), "signal" | "eoi") {
            continue;
        }
        match figures.iter_mut().find(|(name, _)| *name == row.reason) {
            Some((_, sum)) => *sum = sum.zip(row.kernel).map(|(one, other)| one + other),
            None => figures.push((row.reason.to_string(), row.kernel)),
        }
    }
    figures
}

fn monitor(report: &Report) -> Figures {
    let answered = report.monitor.iter().map(|row| (format!("{} {}", row.party, row.access), Some(row.exits)));
    let alone = ["signal", "eoi"].map(|reason| {
        let rows = report.vcpus.iter().flat_map(|vcpu| &vcpu.reasons).filter(|row| row.reason == reason);
        (reason.to_owned(), Some(rows.map(|row| row.monitor).sum()))
    });
    answered.chain(alone).collect()
}

fn queues(report: &Report) -> Figures {
    let figures = |queue: &QueueReport| {
        [
            ("kicks", queue.kicks),
            ("interrupts", queue.interrupts),
            ("suppressed", queue.suppressed),
            ("requests", queue.requests),
            ("bytes from guest", queue.bytes_from_guest),
            ("bytes to guest", queue.bytes_to_guest),
        ]
    };
    let mut all = Figures::new();
    for device in &report.devices {
        for queue in &device.queues {
            let name = |figure| format!("{}/{} {figure}", device.name, queue.queue);
            all.extend(figures(queue).map(|(figure, value)| (name(figure), Some(value))));
        }
    }
    all
}

#[cfg(test)]
#[path = "comparison_test.rs"]
mod tests;
