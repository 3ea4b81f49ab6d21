//! `illico ps`: machines, and what they do.

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

A machine runs, has ended (with its status), or was killed: the process that ran it is gone and said nothing.

Status: 0, or 125 where the state of machines cannot be read.";

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
    if options.json {
        output::print_json(&rows)?;
    } else if options.quiet {
        output::print(&rows.iter().map(|row| row.name.clone() + "\n").collect::<String>())?;
    } else {
        output::print(&output::ps::table(&rows, crate::vms::now_ms()))?;
    }
    Ok(Status::Ended)
}
