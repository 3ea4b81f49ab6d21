//! Lines for the reader of the guest's console: through the kernel's log, which is on every console there is.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;

/// Priorities of the kernel's log: 3 is an error and shown even with `quiet`, 4 a warning.
fn line(priority: u8, message: &dyn Display) {
    if let Ok(mut log) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = log.write_all(format!("<{priority}>illico: {message}\n").as_bytes());
    }
}

/// Why the guest ends.
pub(crate) fn error(message: &dyn Display) {
    line(3, message);
}

/// What is missing while the guest goes on.
pub(crate) fn warning(message: &dyn Display) {
    line(4, message);
}

/// A moment for the host's timeline, which reads the log out of the guest's memory. Not shown on any console.
pub(crate) fn mark(moment: &str) {
    line(7, &moment);
}
