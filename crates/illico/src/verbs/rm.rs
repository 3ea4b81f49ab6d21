//! `illico rm`: machines that have ended, and with --force those that run.

use clap::Args;
use rustix::process::Signal;

use crate::failure::Failure;
use crate::status::Status;
use crate::verbs::each;
use crate::vms::{Name, Vms};

pub const HELP: &str = "\
Example: illico rm -f web

Status: 0, or 125 where one of them is not there, or runs and --force is not given.";

/// Options of `illico rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// Kill those that run.
    #[arg(long, short)]
    pub force: bool,

    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}

/// Removes machines.
pub fn run(options: &Rm) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    each::machine(&options.names, |name| {
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
    })
}
