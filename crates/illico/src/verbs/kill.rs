//! `illico kill`: a signal for machines. SIGKILL is for the process of a machine. Any other is for the program in it,
//! whose agent passes it on; where there is no agent, it is for the process, too.

use clap::Args;
use illico_protocol::Request;
use rustix::process::Signal;

use crate::agent;
use crate::failure::Failure;
use crate::signal_names::SignalName;
use crate::status::Status;
use crate::verbs::each;
use crate::vms::{Name, Vms};

pub const HELP: &str = "\
Examples:
  illico kill web
  illico kill -s HUP web

KILL ends the machine and the process that runs it. Any other signal goes to the program in a machine of `illico run`,
and to the process of one of `illico boot`.

Status: 0, or 125 where one of them is not there or does not run.";

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

/// Signals machines.
pub fn run(options: &Kill) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    let signal = options.signal.0;
    each::machine(&options.names, |name| {
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
    })
}
