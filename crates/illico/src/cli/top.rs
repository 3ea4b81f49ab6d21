//! `illico top`: what machines spend, now and now and now.

use clap::Args;

pub const HELP: &str = "\
Keys: up and down (or k and j) choose a machine, q leaves.

Examples:
  illico top
  illico top --interval 5
  illico top --once
  illico top --json | jq --unbuffered '.machines[] | {name, exits}'

Status:
  0    you left, --once has printed, or nobody reads --json any more
  125  illico could not do what was asked";

/// Options of `illico top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Seconds between two looks, 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,

    /// Look twice, print the difference of all machines, and leave. This works without a terminal.
    #[arg(long)]
    pub once: bool,

    /// Print each look as a line of JSON (docs/watch.md has the fields), with --once a single one. This works without a
    /// terminal.
    #[arg(long)]
    pub json: bool,
}
