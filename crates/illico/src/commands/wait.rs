//! `illico wait`: until machines have ended.

use std::io::Write;

use crate::cli::Wait;
use crate::commands::{Failure, each};
use crate::status::Status;
use crate::vms::{State, Vms};

/// What a shell says of a process that SIGKILL ended.
const KILLED: u8 = 128 + 9;

/// Prints the statuses of machines, each at its end.
pub fn run(options: &Wait) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    Ok(each::machine(&options.names, |name| {
        let status = match vms.open(name)?.wait()? {
            State::Ended(ended) => ended.status,
            State::Running | State::Killed => KILLED,
        };
        Ok(writeln!(std::io::stdout(), "{status}")?)
    }))
}
