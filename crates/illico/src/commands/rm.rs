//! `illico rm`: machines that have ended, and with --force those that run.

use rustix::process::Signal;

use crate::cli::Rm;
use crate::commands::{Failure, each};
use crate::status::Status;
use crate::vms::Vms;

/// Removes machines.
pub fn run(options: &Rm) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    Ok(each::machine(&options.names, |name| {
        let vm = vms.open(name)?;
        if options.force
            && let Some(monitor) = vm.monitor()?
        {
            monitor.signal(Signal::KILL)?;
            vm.wait()?;
        }
        match vms.remove(name) {
            // One of `--rm` has gone with its end.
            Err(crate::vms::VmsError::Unknown { .. }) if options.force => Ok(()),
            done => Ok(done?),
        }
    }))
}
