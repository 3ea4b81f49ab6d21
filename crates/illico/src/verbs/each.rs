//! A verb on several machines: what fails for one does not keep it from the others.

use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::vms::Name;

/// Does it for each; complaints are told at once, and are the status. It ends where nobody reads what is printed.
pub fn machine(names: &[Name], mut action: impl FnMut(&Name) -> Result<(), Failure>) -> Result<Status, Failure> {
    let mut status = Status::Ended;
    for name in names {
        match action(name) {
            Ok(()) => {}
            Err(error) if output::is_unread(error.as_ref()) => return Err(error),
            Err(error) => {
                output::complain(error.as_ref());
                status = Status::Failed;
            }
        }
    }
    Ok(status)
}
