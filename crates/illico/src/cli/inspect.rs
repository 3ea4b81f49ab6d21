//! `illico inspect`.

use clap::Args;

use crate::vms::Name;

pub const HELP: &str = "Example: illico inspect web | jq .state";

/// Options of `illico inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A machine, by name.
    #[arg(value_name = "NAME")]
    pub name: Name,
}
