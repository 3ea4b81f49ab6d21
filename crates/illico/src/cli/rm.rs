//! `illico rm`.

use clap::Args;

use crate::vms::Name;

pub const HELP: &str = "\
Example: illico rm -f web

Status: 0, or 125 where one of them is not there, or runs and --force is not given.";

/// Options of `illico rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// Kill those that run.
    #[arg(long, short)]
    pub force: bool,

    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}
