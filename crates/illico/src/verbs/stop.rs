//! `illico stop`: machines are asked to end, and ended where they do not.

use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::Signal;

use crate::failure::Failure;
use crate::status::Status;
use crate::verbs::each;
use crate::vms::{Name, Vms};

pub const HELP: &str = "\
Example: illico stop --time 30 web

A machine of `illico run` gets SIGTERM, which its program hears as the stop signal of its image; one of `illico boot`
feels its power button. Both are ended when the time is over.

Status: 0 once all of them have ended, or 125 where one of them is not there.";

/// Options of `illico stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// Seconds to wait before they are ended.
    #[arg(long, short, value_name = "SECONDS", default_value_t = 10)]
    pub time: u32,

    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}

/// How long a process may take to end its machine at once before it is killed itself.
const GRACE: Duration = Duration::from_secs(2);

/// Stops machines.
pub fn run(options: &Stop) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    let asked: Vec<_> =
        options.names.iter().map(|name| vms.open(name).and_then(|vm| Ok((vm.monitor()?, vm)))).collect();
    // All are asked before the first is waited for: the time is for all of them.
    for (monitor, _) in asked.iter().flatten() {
        monitor.iter().try_for_each(|monitor| monitor.signal(Signal::TERM).map(drop))?;
    }
    let until = Instant::now() + Duration::from_secs(options.time.into());
    let mut asked = asked.into_iter();
    each::machine(&options.names, |_| {
        let Some((Some(monitor), vm)) = asked.next().transpose()? else { return Ok(()) };
        if !monitor.wait(until.saturating_duration_since(Instant::now()))? {
            // The second one stops the machine at once, and it says so.
            monitor.signal(Signal::TERM)?;
            if !monitor.wait(GRACE)? {
                monitor.signal(Signal::KILL)?;
            }
        }
        // The machine has ended once its lock is free: only then can it be removed.
        vm.wait()?;
        Ok(())
    })
}
