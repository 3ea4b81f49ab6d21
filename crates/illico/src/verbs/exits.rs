//! `illico exits`: the figures of one machine, now.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::show::live;
use crate::since::since;
use crate::status::Status;
use crate::verbs::diff;
use crate::vms::{Name, Vms};

pub const HELP: &str = "\
Examples:
  illico exits web
  illico exits web --json > then.json; sleep 10; illico exits web --since then.json

Status:
  0    the figures were printed
  125  illico could not do what was asked";

/// Options of `illico exits`.
#[derive(Debug, Args)]
pub struct Exits {
    /// A machine, by name: one that runs, or one that ended and was not removed.
    #[arg(value_name = "NAME")]
    pub name: Name,

    /// Print them as --exits-json does (docs/exits.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Only what was counted since an earlier report of this machine. Example: --since then.json
    #[arg(long, value_name = "FILE.json")]
    pub since: Option<PathBuf>,
}

/// Prints where its exits went so far.
pub fn run(options: &Exits) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let seen = live::look(&vm)?;
    let mut report = seen.report;
    if let Some(path) = &options.since {
        let before = diff::read(path).map_err(|error| format!("--since: {error}"))?;
        report = since(&report, &before).map_err(|error| format!("--since: {}: {error}", path.display()))?;
    }
    if !seen.fresh {
        output::say("the monitor did not answer: what KVM and eventfds count is of the last time that it did");
    }
    match options.json {
        true => output::print_json(&report)?,
        false => output::print(output::exits::table(&report).trim_start_matches('\n'))?,
    }
    Ok(Status::Ended)
}
