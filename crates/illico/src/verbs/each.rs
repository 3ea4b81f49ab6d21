//! A verb on several machines: what fails for one does not keep it from the others.

use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::vms::Name;

/// Does it for each; complaints are told at once, and are the status.
pub fn machine(names: &[Name], mut action: impl FnMut(&Name) -> Result<(), Failure>) -> Status {
    let mut status = Status::Ended;
    for name in names {
        if let Err(error) = action(name) {
            output::complain(error.as_ref());
            status = Status::Failed;
        }
    }
    status
}
