//! `illico logs`.

use clap::Args;

use crate::vms::Name;

pub const HELP: &str = "\
Example: illico logs -f web

What a machine of `illico run -d` writes is kept in its folder until it is removed: the last 8 to 16 MiB of it.";

/// Options of `illico logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Go on until the machine ends.
    #[arg(long, short)]
    pub follow: bool,

    /// Print the log of the guest's kernel instead.
    #[arg(long)]
    pub console: bool,

    /// A machine, by name.
    #[arg(value_name = "NAME")]
    pub name: Name,
}
