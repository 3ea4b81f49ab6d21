//! `illico logs`: what a machine in the background wrote.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::vms::{CONSOLE_LOG, LogReader, Name, Vm, Vms};

pub const HELP: &str = "\
Example: illico logs -f web

What a machine of `illico run -d` writes is kept in its folder until it is removed: the last 8 to 16 MiB of it.

Status: 0, or 125 where there is no such machine, or it keeps no log.";

/// Options of `illico logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Go on until the machine ends.
    #[arg(long, short)]
    pub follow: bool,

    /// Print the log of the guest's kernel instead.
    #[arg(long)]
    pub console: bool,

    /// A machine, by name.
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// The pause between two reads while there is no new output.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints what it wrote, and what it goes on to write.
pub fn run(options: &Logs) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let none = || format!("{} has no log: only what `illico run -d` starts keeps one", vm.name);
    let mut out = io::stdout().lock();
    if options.console {
        let path = vm.file(CONSOLE_LOG);
        let mut log = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{} keeps no log of its kernel: it was shown where it was started", vm.name)
            }
            _ => format!("cannot open {}: {error}", path.display()),
        })?;
        return follow(&vm, options.follow, || {
            let copied = unless_unread(io::copy(&mut log, &mut out))?;
            unless_unread(out.flush()).map(|()| copied)
        });
    }
    let wrong = |error: io::Error| format!("cannot read the log in {}: {error}", vm.path.display());
    let mut log = LogReader::open(&vm.path).map_err(wrong)?.ok_or_else(none)?;
    follow(&vm, options.follow, || {
        let look = unless_unread(log.copy(&mut out))?;
        if look.missed > 0 {
            output::say("some output is missing here: it came faster than it was read, and only the last is kept");
        }
        Ok(look.copied)
    })
}

/// Tells a reader that left from an error of the log.
fn unless_unread<T>(result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => output::Unread.into(),
        _ => format!("cannot copy the log: {error}").into(),
    })
}

/// Copies once, or until the machine has ended.
fn follow(vm: &Vm, follow: bool, mut copy: impl FnMut() -> Result<u64, Failure>) -> Result<Status, Failure> {
    loop {
        // Asked before the last look, so that nothing written meanwhile is lost.
        let goes_on = follow && vm.is_alive();
        let copied = copy()?;
        if !goes_on {
            return Ok(Status::Ended);
        }
        if copied == 0 {
            std::thread::sleep(PAUSE);
        }
    }
}
