//! `illico ps`: machines, and what they do.

use std::io::Write;

use illico_machine::config::Size;
use serde::Serialize;

use crate::cli::Ps;
use crate::commands::Failure;
use crate::output;
use crate::status::Status;
use crate::vms::{Record, State, Verb, Vm, Vms};

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

/// Lists machines.
pub fn run(options: &Ps) -> Result<Status, Failure> {
    let mut rows: Vec<_> = Vms::of_user()?.list()?.iter().map(Row::of).collect();
    if !options.all {
        rows.retain(|row| row.state == "running");
    }
    let text = if options.json {
        serde_json::to_string_pretty(&rows)? + "\n"
    } else if options.quiet {
        rows.iter().map(|row| row.name.clone() + "\n").collect()
    } else {
        output::ps::table(&rows, crate::vms::now_ms())
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Status::Ended)
}
