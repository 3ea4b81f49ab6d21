//! Options of every verb that runs a machine: where its exits go.

use std::path::PathBuf;

use clap::Args;

/// What shall be told of the exits, and how many there may be.
#[derive(Debug, Default, Args)]
pub struct Accounting {
    /// At the end, print where the exits went. Example: --exits
    #[arg(long)]
    pub exits: bool,

    /// At the end, write where the exits went as JSON (docs/exits.md has the schema).
    /// Example: --exits-json exits.json
    #[arg(long, value_name = "FILE")]
    pub exits_json: Option<PathBuf>,

    /// Hold the guest to a budget of exits (docs/exits.md has the format): what it spent more is printed at the
    /// end, and the status is 105 where it would be 0. Example: --budget budget.toml
    #[arg(long, value_name = "FILE.toml")]
    pub budget: Option<PathBuf>,
}
