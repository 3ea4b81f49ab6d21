//! `illico ps`: machines, and what they do.

use std::io::Write;

use crate::cli::Ps;
use crate::commands::Failure;
use crate::output;
use crate::output::ps::Row;
use crate::status::Status;
use crate::vms::Vms;

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
