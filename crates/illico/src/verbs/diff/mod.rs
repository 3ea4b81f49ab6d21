//! `illico diff`: two reports of exits side by side, read from files or made by booting a guest twice.

mod twice;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use illico_machine::report::{Report, SCHEMA};

use crate::comparison::Comparison;
use crate::failure::Failure;
use crate::output;
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico diff pci.json mmio.json
  illico diff --change '--transport mmio' -- --kernel vmlinuz --initrd initrd.img
  illico diff --change '--without event-idx' -- --kernel vmlinuz --disk path=root.img
  illico diff --change '--kernel vmlinux-6.1' --json -- --kernel vmlinux-6.12

Status:
  0    both runs were compared
  125  illico could not do what was asked: a file is no report, or a guest did not end well";

/// Options of `illico diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Two reports of --exits-json, or of `illico exits --json`.
    #[arg(value_name = "A B", num_args = 2, conflicts_with = "change", required_unless_present = "change")]
    pub reports: Vec<PathBuf>,

    /// Boot the guest twice, as the options after -- say and with these instead. An option given here replaces the
    /// same one there; blanks separate words. Example: --change '--transport mmio'
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, requires = "boot")]
    pub change: Vec<String>,

    /// Print the comparison as JSON (docs/exits.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Options of `illico boot`. The guest must end by itself; its console goes nowhere.
    #[arg(last = true, value_name = "BOOT OPTIONS", requires = "change")]
    pub boot: Vec<OsString>,
}

/// Compares and prints.
pub fn run(options: &Diff) -> Result<Status, Failure> {
    let comparison = match options.reports.as_slice() {
        [a, b] => Comparison::of((&a.to_string_lossy(), &read(a)?), (&b.to_string_lossy(), &read(b)?)),
        _ => {
            let (a, b) = twice::boot(&options.boot, &options.change)?;
            Comparison::of(("as given", &a), (&options.change.join(" "), &b))
        }
    };
    if options.json {
        output::print_json(&comparison)?;
    } else {
        output::print(&output::diff::table(&comparison, output::colour::on_stdout()))?;
    }
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
