//! `illico exits`: where the exits of a machine go while it runs.

use std::path::PathBuf;

use clap::Args;

use crate::vms::Name;

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
