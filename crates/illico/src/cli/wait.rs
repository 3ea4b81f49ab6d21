//! `illico wait`.

use clap::Args;

use crate::vms::Name;

pub const HELP: &str = "\
Example: illico wait job

It prints the status of each, in the order in which they are named; 137 for one that was killed.";

/// Options of `illico wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}
