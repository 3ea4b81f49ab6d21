//! `illico exits`: the figures of one machine, now.

use std::io::Write;

use crate::cli::Exits;
use crate::commands::{Failure, diff};
use crate::live;
use crate::output;
use crate::since::since;
use crate::status::Status;
use crate::vms::Vms;

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
    let text = match options.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => output::exits::table(&report),
    };
    std::io::stdout().write_all(text.trim_start_matches('\n').as_bytes())?;
    Ok(Status::Ended)
}
