//! Two runs side by side, for a terminal of 80 columns.

use std::fmt::Write;

use crate::comparison::{Comparison, Row};

/// The comparison: what the kernel handled, what the monitor handled, and what the queues did.
pub fn table(comparison: &Comparison, colour: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "A: {}\nB: {}\n", comparison.a, comparison.b);
    let _ = writeln!(out, "{:<32} {:>13} {:>13} {:>11} {:>7}", "", "A", "B", "difference", "");
    line("all exits", &comparison.total, colour, &mut out);
    for (title, rows) in [
        ("handled in the kernel", &comparison.kernel),
        ("handled by the monitor", &comparison.monitor),
        ("queues", &comparison.queues),
    ] {
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}");
        for row in rows {
            line(&format!("  {}", row.name), row, colour, &mut out);
        }
    }
    out
}

fn line(name: &str, row: &Row, colour: bool, out: &mut String) {
    let figure = |figure: Option<u64>| figure.map_or_else(|| "not told".to_owned(), |figure| figure.to_string());
    let difference = match row.difference {
        None => "-".to_owned(),
        Some(0) => "=".to_owned(),
        Some(difference) => format!("{difference:+}"),
    };
    let relative = match (row.difference, row.ratio) {
        (Some(0) | None, _) => String::new(),
        (_, None) => "new".to_owned(),
        (_, Some(ratio)) if ratio >= 10.0 => format!("x {ratio:.0}"),
        (_, Some(ratio)) => format!("{:+.0} %", (ratio - 1.0) * 100.0),
    };
    // Fewer is better, whatever is counted.
    let (paint, plain) = match row.difference {
        Some(difference) if colour && difference < 0 => ("\x1b[32m", "\x1b[0m"),
        Some(difference) if colour && difference > 0 => ("\x1b[31m", "\x1b[0m"),
        _ => ("", ""),
    };
    let _ = writeln!(
        out,
        "{name:<32} {:>13} {:>13} {paint}{difference:>11} {relative:>7}{plain}",
        figure(row.a),
        figure(row.b)
    );
}

#[cfg(test)]
mod tests {
    use illico_machine::report::{MonitorRow, Report};

    use super::*;

    fn report(exits: &[(&str, u64)]) -> Report {
        let row =
            |&(party, exits): &(&str, u64)| MonitorRow { party: party.into(), access: "mmio-write".into(), exits };
        Report { schema: "".into(), vcpus: vec![], monitor: exits.iter().map(row).collect(), devices: vec![] }
    }

    fn lines(colour: bool) -> Vec<String> {
        let a = report(&[("acpi", 4), ("ioapic", 3), ("uart", 1_000_000_000), ("rtc", 1)]);
        let b = report(&[("acpi", 4), ("pci-config", 2), ("uart", 2), ("rtc", 65_536)]);
        let text = table(&Comparison::of(("one", &a), ("other", &b)), colour);
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn differences_are_absolute_and_relative_and_fit_in_80_columns() {
        let lines = lines(false);
        let has = |name: &str| lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(has("acpi").ends_with('='), "{}", has("acpi"));
        assert!(has("ioapic").ends_with("-3  -100 %"), "{}", has("ioapic"));
        assert!(has("pci-config").ends_with("+2     new"), "{}", has("pci-config"));
        assert!(has("rtc").ends_with("+65535 x 65536"), "{}", has("rtc"));
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:#?}");
    }

    #[test]
    fn only_colour_is_added_for_a_terminal() {
        let plain = |line: &String| line.replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[0m", "");
        assert_ne!(lines(true), lines(false));
        let uncoloured: Vec<_> = lines(true).iter().map(|line| plain(line).trim_end().to_owned()).collect();
        assert_eq!(uncoloured, lines(false));
    }
}
