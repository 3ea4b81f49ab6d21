//! `illico stop`: machines are asked to end, and ended where they do not.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cli::Stop;
use crate::commands::{Failure, each};
use crate::status::Status;
use crate::vms::Vms;

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
    Ok(each::machine(&options.names, |_| {
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
    }))
}
