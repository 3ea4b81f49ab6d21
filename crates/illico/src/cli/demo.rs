//! `illico demo`.

use std::path::PathBuf;

use clap::Args;

pub const HELP: &str = "\
Examples:
  illico demo
  illico demo --html report.html
  illico demo --json | jq .disk.pmem

docs/demo.md says what is measured, how, and what the figures mean.

Status:
  0    everything was measured
  125  illico could not do what was asked: the message says why";

/// Options of `illico demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Print what was measured as JSON instead (docs/demo.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Write a report with plots, a page that needs nothing else. Example: --html report.html
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
