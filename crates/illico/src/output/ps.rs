//! The table of `illico ps`.

use std::fmt::Write;

use crate::commands::ps::Row;

/// A line for each machine, below a head. `now_ms` is the time that ages are told from.
pub fn table(rows: &[Row], now_ms: u64) -> String {
    let cells: Vec<[String; 7]> = rows.iter().map(|row| cells(row, now_ms)).collect();
    let head = ["NAME", "STATE", "AGE", "CPUS", "MEMORY", "PORTS", "RUNS"].map(str::to_owned);
    let width = |column: usize| {
        [&head].into_iter().chain(&cells).map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    for row in [&head].into_iter().chain(&cells) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn cells(row: &Row, now_ms: u64) -> [String; 7] {
    let state = match row.status {
        Some(status) => format!("{} ({status})", row.state),
        None => row.state.to_owned(),
    };
    let told = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let mut runs: Vec<&str> = row.image.as_deref().into_iter().collect();
    runs.extend(row.command.iter().map(String::as_str));
    [
        row.name.clone(),
        state,
        told(row.created_ms.map(|since| age(now_ms.saturating_sub(since)))),
        told(row.cpus.map(|cpus| cpus.to_string())),
        told(row.memory.map(|memory| memory.to_string())),
        if row.ports.is_empty() { "-".to_owned() } else { row.ports.join(",") },
        one_line(&runs.join(" ")),
    ]
}

/// What a machine runs is anybody's text: no control characters for the terminal, and not endless.
fn one_line(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).take(60).collect();
    if text.chars().count() > 60 { shown + "..." } else { shown }
}

fn age(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use illico_machine::config::Size;

    use super::*;

    fn row() -> Row {
        Row {
            name: "web".to_owned(),
            state: "running",
            status: None,
            why: None,
            pid: Some(1),
            created_ms: Some(1_000),
            ended_ms: None,
            verb: None,
            image: Some("debian:12".to_owned()),
            command: vec!["sh".to_owned(), "-c".to_owned(), "echo\x1b[31m".to_owned()],
            ports: vec!["8080:80".to_owned()],
            cpus: Some(2),
            memory: Some(Size::mebibytes(512)),
        }
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_nothing_reaches_the_terminal_as_a_command() {
        let ended = Row { name: "a-longer-name".to_owned(), state: "ended", status: Some(3), ports: vec![], ..row() };
        assert_eq!(
            table(&[row(), ended], 181_000),
            "NAME           STATE      AGE    CPUS  MEMORY  PORTS    RUNS\n\
             web            running    3 min  2     512M    8080:80  debian:12 sh -c echo?[31m\n\
             a-longer-name  ended (3)  3 min  2     512M    -        debian:12 sh -c echo?[31m\n"
        );
    }

    #[test]
    fn an_age_has_the_unit_that_suits_it() {
        let ages = [119_999, 120_000, 7_200_000, 172_800_000].map(age);
        assert_eq!(ages, ["119 s", "2 min", "2 h", "2 d"]);
    }
}
