//! `illico diff`: two reports of exits side by side, read from files or made by booting a guest twice.

mod twice;

use std::io::{Write, stdout};
use std::path::Path;

use illico_machine::report::{Report, SCHEMA};

use crate::cli::Diff;
use crate::commands::Failure;
use crate::comparison::Comparison;
use crate::output;
use crate::status::Status;

/// Compares and prints.
pub fn run(options: &Diff) -> Result<Status, Failure> {
    let comparison = match options.reports.as_slice() {
        [a, b] => Comparison::of((&a.to_string_lossy(), &read(a)?), (&b.to_string_lossy(), &read(b)?)),
        _ => {
            let (a, b) = twice::boot(&options.boot, &options.change)?;
            Comparison::of(("as given", &a), (&options.change.join(" "), &b))
        }
    };
    let text = if options.json {
        serde_json::to_string_pretty(&comparison)? + "\n"
    } else {
        output::diff::table(&comparison, output::colour::on_stdout())
    };
    stdout().write_all(text.as_bytes())?;
    Ok(Status::Ended)
}

/// Reads a report that illico wrote, now or once.
pub fn read(path: &Path) -> Result<Report, Failure> {
    let wrong = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("not a report of --exits-json: {error}; write one with this illico")))?;
    if report.schema != SCHEMA {
        return Err(wrong(format!("a report of {:?}, and this illico reads {SCHEMA:?}", report.schema)).into());
    }
    Ok(report)
}
