//! What `illico ps` prints of a machine, as data and as a table.

use illico_machine::config::Size;
use serde::Serialize;

use crate::output::table;
use crate::vms::{Record, State, Verb, Vm};

/// One machine. docs/run.md lists the fields.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// `running`, `ended` or `killed`.
    pub state: &'static str,
    /// With what status it ended.
    pub status: Option<u8>,
    /// Why it ended, in words.
    pub why: Option<String>,
    /// The process that runs it.
    pub pid: Option<i32>,
    /// Since when it is there, in milliseconds since 1970.
    pub created_ms: Option<u64>,
    /// Since when it has ended.
    pub ended_ms: Option<u64>,
    /// Which verb made it.
    pub verb: Option<Verb>,
    /// The image that it runs.
    pub image: Option<String>,
    /// The command in it.
    pub command: Vec<String>,
    /// Ports of the host that lead into it.
    pub ports: Vec<String>,
    /// Its vCPUs.
    pub cpus: Option<u8>,
    /// Its RAM.
    pub memory: Option<Size>,
}

impl Row {
    /// What is known of one.
    pub fn of(vm: &Vm) -> Self {
        let (state, ended) = match vm.state() {
            State::Running => ("running", None),
            State::Ended(ended) => ("ended", Some(ended)),
            State::Killed => ("killed", None),
        };
        let record = vm.record.as_ref();
        let asked = record.map(|record| &record.asked);
        let pid = |record: &Record| (state == "running").then_some(record.pid);
        Self {
            name: vm.name.to_string(),
            state,
            status: ended.as_ref().map(|ended| ended.status),
            why: ended.as_ref().map(|ended| ended.why.clone()),
            pid: record.and_then(pid),
            created_ms: record.map(|record| record.created_ms),
            ended_ms: ended.map(|ended| ended.ended_ms),
            verb: asked.map(|asked| asked.verb),
            image: asked.and_then(|asked| asked.image.clone()),
            command: asked.map(|asked| asked.command.clone()).unwrap_or_default(),
            ports: asked.map(|asked| asked.ports.clone()).unwrap_or_default(),
            cpus: asked.map(|asked| asked.config.cpus),
            memory: asked.map(|asked| asked.config.memory),
        }
    }
}

/// A line for each machine, below a head. `now_ms` is the time that ages are told from.
pub fn table(rows: &[Row], now_ms: u64) -> String {
    let mut lines = vec![["NAME", "STATE", "AGE", "CPUS", "MEMORY", "PORTS", "RUNS"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| cells(row, now_ms)));
    table::lines(&lines)
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
        told(row.created_ms.map(|since| table::age(now_ms.saturating_sub(since) / 1000))),
        told(row.cpus.map(|cpus| cpus.to_string())),
        told(row.memory.map(|memory| memory.to_string())),
        if row.ports.is_empty() { "-".to_owned() } else { row.ports.join(",") },
        one_line(&runs.join(" ")),
    ]
}

/// What a machine runs is anybody's text, and not endless.
fn one_line(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    if text.chars().count() > 60 { shown + "..." } else { shown }
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
}
