//! `illico kill`.

use clap::Args;

use crate::signal_names::SignalName;
use crate::vms::Name;

pub const HELP: &str = "\
Examples:
  illico kill web
  illico kill -s HUP web

KILL ends the machine and the process that runs it. Any other signal goes to the program in a machine of `illico run`,
and to the process of one of `illico boot`.";

/// Options of `illico kill`.
#[derive(Debug, Args)]
pub struct Kill {
    /// The signal, by name or number.
    #[arg(long, short, value_name = "SIGNAL", default_value = "KILL")]
    pub signal: SignalName,

    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}
