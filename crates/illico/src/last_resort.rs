//! The end of this process where a machine does not end: a thread of it may wait for a reader, a disk or a device of the
//! host that never answers, and a person who wants to end a machine must not wait with it.

use std::thread;
use std::time::Duration;

use illico_machine::threads::{self, Role};

use crate::output;
use crate::terminal::Restorer;

/// How long a machine that was told to stop may take. With the time that the process itself needs it is below 2 s.
const GRACE: Duration = Duration::from_millis(1500);

/// Ends this process with a status, unless it ends by itself within a moment. Nothing waits here.
pub fn end_process(status: u8, terminal: Option<Restorer>) {
    let body = move || {
        thread::sleep(GRACE);
        if let Some(terminal) = terminal {
            terminal.restore();
        }
        output::say("the machine does not stop, so its process ends");
        std::process::exit(status.into());
    };
    if threads::spawn(Role::Timer, "last resort", body).is_err() {
        std::process::exit(status.into());
    }
}
