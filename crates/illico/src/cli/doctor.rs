//! `illico doctor`.

use clap::Args;

pub const HELP: &str = "\
Examples:
  illico doctor
  illico doctor --json | jq -r '.[] | select(.verdict == \"problem\") | .fix'

Status:
  0    guests can run here (warnings cost speed or a device, not the guest)
  1    there is a problem: Linux guests do not run here
  125  illico could not do what was asked";

/// Options of `illico doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print an array of {check, verdict, text, fix} instead (docs/doctor.md has the schema).
    #[arg(long)]
    pub json: bool,
}
