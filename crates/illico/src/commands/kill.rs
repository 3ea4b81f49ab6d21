//! `illico kill`: a signal for machines. SIGKILL is for the process of a machine. Any other is for the program in it,
//! whose agent passes it on; where there is no agent, it is for the process, too.

use illico_protocol::Request;
use rustix::process::Signal;

use crate::agent;
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
        if signal != Signal::KILL && vm.has_agent() {
            let number = u8::try_from(signal.as_raw()).map_err(|_| "--signal: too high a number")?;
            return Ok(agent::ask(&vm, &Request::Signal(number))?);
        }
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
