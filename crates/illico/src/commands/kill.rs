//! `illico kill`: a signal for machines.

use rustix::process::Signal;

use crate::cli::Kill;
use crate::commands::{Failure, each};
use crate::status::Status;
use crate::vms::Vms;

/// Signals machines.
pub fn run(options: &Kill) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    let signal = options.signal.0;
    Ok(each::machine(&options.names, |name| {
        let vm = vms.open(name)?;
        let sent = vm.monitor()?.map(|monitor| monitor.signal(signal)).transpose()?;
        if sent != Some(true) {
            return Err(format!("{name} does not run; `illico ps --all` tells how it ended").into());
        }
        if signal == Signal::KILL {
            vm.wait()?;
        }
        Ok(())
    }))
}
