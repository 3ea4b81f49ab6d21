//! `illico stop`: machines are asked to end, and ended where they do not.

use std::time::Duration;

use rustix::process::Signal;

use crate::cli::Stop;
use crate::commands::{Failure, each};
use crate::status::Status;
use crate::vms::Vms;

/// How long a process may take to end its machine at once before it is killed itself.
const GRACE: Duration = Duration::from_secs(5);

/// Stops machines.
pub fn run(options: &Stop) -> Result<Status, Failure> {
    let vms = Vms::of_user()?;
    let asked: Vec<_> = options.names.iter().map(|name| vms.open(name).map(|vm| vm.monitor())).collect();
    // All are asked before the first is waited for: the time is for all of them.
    for monitor in asked.iter().flatten().flatten().flatten() {
        monitor.signal(Signal::TERM)?;
    }
    let until = std::time::Instant::now() + Duration::from_secs(options.time.into());
    let mut asked = asked.into_iter();
    Ok(each::machine(&options.names, |_| {
        let Some(Some(monitor)) = asked.next().transpose()?.transpose()? else { return Ok(()) };
        if monitor.wait(until.saturating_duration_since(std::time::Instant::now()))? {
            return Ok(());
        }
        // The second one stops the machine at once, and it says so.
        monitor.signal(Signal::TERM)?;
        if !monitor.wait(GRACE)? {
            monitor.signal(Signal::KILL)?;
        }
        Ok(())
    }))
}
