//! `illico ps`: machines, and what they do.

use std::io::Write;

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::output::ps::Row;
use crate::status::Status;
use crate::vms::Vms;

pub const HELP: &str = "\
Examples:
  illico ps --all
  illico rm $(illico ps --all --quiet)
  illico ps --json | jq -r '.[].name'

A machine runs, has ended (with its status), or was killed: the process that ran it is gone and said nothing.";

/// Options of `illico ps`.
#[derive(Debug, Args)]
pub struct Ps {
    /// List those that have ended, too.
    #[arg(long, short)]
    pub all: bool,

    /// Print an array of objects instead (docs/run.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Print names only.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
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
