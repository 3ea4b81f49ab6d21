//! `illico wait`: until machines have ended.

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::verbs::each;
use crate::vms::{Name, State, Vms};

pub const HELP: &str = "\
Example: illico wait job

It prints the status of each, in the order in which they are named; 137 for one that was killed.

Status: 0, or 125 where one of them is not there.";

/// Options of `illico wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}

/// What a shell says of a process that SIGKILL ended.
const KILLED: u8 = 128 + 9;

/// Prints the statuses of machines, each at its end.
pub fn run(options: &Wait) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    each::machine(&options.names, |name| {
        let status = match vms.open(name)?.wait()? {
            State::Ended(ended) => ended.status,
            State::Running | State::Killed => KILLED,
        };
        output::print(&format!("{status}\n"))
    })
}
