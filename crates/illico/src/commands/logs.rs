//! `illico logs`: what a machine in the background wrote.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use crate::cli::Logs;
use crate::commands::Failure;
use crate::status::Status;
use crate::vms::{CONSOLE_LOG, OUTPUT_LOG, Vms};

/// How long a look for more output waits after one in vain.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints what it wrote, and what it goes on to write.
pub fn run(options: &Logs) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let path = vm.file(if options.console { CONSOLE_LOG } else { OUTPUT_LOG });
    let mut log = File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{} has no log: only what `illico run -d` starts keeps one", vm.name),
        _ => format!("cannot open {}: {error}", path.display()),
    })?;
    let mut out = io::stdout().lock();
    loop {
        // Asked before the last look, so that nothing written meanwhile is lost.
        let goes_on = options.follow && vm.is_alive();
        let copied = io::copy(&mut log, &mut out).and_then(|copied| out.flush().map(|()| copied))?;
        if !goes_on {
            return Ok(Status::Ended);
        }
        if copied == 0 {
            std::thread::sleep(PAUSE);
        }
    }
}
