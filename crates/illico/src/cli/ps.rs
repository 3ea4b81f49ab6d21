//! `illico ps`.

use clap::Args;

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
