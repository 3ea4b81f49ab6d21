//! SIGBUS: this process touched memory that is a file (an image or persistent memory, where it carries data for another device), and the
//! file has been cut short, or its disk has failed.
//!
//! There is no going on from there: the access is repeated for ever. The process ends with one line, and with the
//! terminal as it was.

use std::{io, process};

use illico_machine::threads::{self, Role};
use illico_virtio::complaints::say;
use signal_hook::consts::SIGBUS;
use signal_hook::iterator::Signals;

use crate::status::Status;
use crate::terminal::{RawMode, Restorer};

/// Ends the process at the first SIGBUS from now on, by a thread that does nothing else: any other may be the one that
/// cannot go on.
pub fn end_process_at_sigbus(raw: Option<&RawMode>) -> io::Result<()> {
    let mut signals = Signals::new([SIGBUS])?;
    let restore = raw.map(RawMode::restorer);
    let body = move || {
        if signals.forever().next().is_some() {
            end_process(Status::VcpuFailed, restore.as_ref());
        }
    };
    threads::spawn(Role::Signals, "sigbus", body).map(drop)
}

/// Ends the process after a SIGBUS, with one line, and with the terminal as it was.
pub fn end_process(status: Status, terminal: Option<&Restorer>) -> ! {
    terminal.iter().for_each(|terminal| terminal.restore());
    say("a file behind guest memory was cut short, or its disk failed: the machine has ended");
    process::exit(status.code().into());
}
