//! What ends a machine: its command, a signal, or time.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use illico_machine::control::Control;
use illico_machine::threads::{self, Role};
use signal_hook::consts::SIGTERM;

use crate::session::Outbox;
use crate::signals;

/// What ended a machine by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A signal that came before the command, or SIGTERM for the second time.
    Signal(u8),
    /// `--timeout`.
    Timeout,
}

impl Cause {
    /// The status that says so: as of a process that the signal ended, and as of timeout(1).
    pub fn status(self) -> u8 {
        match self {
            Self::Signal(signal) => 128 + signal,
            Self::Timeout => 124,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "signal {signal} stopped the machine"),
            Self::Timeout => f.write_str("--timeout was over"),
        }
    }
}

/// What is to become of a machine. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct Fate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    control: Control,
    cause: OnceLock<Cause>,
    begun: AtomicBool,
    /// SIGTERMs so far.
    terms: AtomicU32,
    /// What the command hears instead of SIGTERM.
    stop_signal: u8,
}

impl Fate {
    /// Of this machine, whose command hears `stop_signal` for a SIGTERM.
    pub fn of(control: Control, stop_signal: u8) -> Self {
        let (cause, begun, terms) = (OnceLock::new(), AtomicBool::new(false), AtomicU32::new(0));
        Self(Arc::new(Inner { control, cause, begun, terms, stop_signal }))
    }

    /// The command begins: signals are for it from now on.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
    }

    /// Whether the command has begun.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Ends the machine: its command has ended.
    pub fn end(&self) {
        self.0.control.stop();
    }

    /// Ends the machine after so long.
    pub fn end_after(&self, time: Duration) -> io::Result<()> {
        let fate = self.clone();
        let body = move || {
            thread::sleep(time);
            fate.force(Cause::Timeout);
        };
        threads::spawn(Role::Timer, "timeout", body).map(drop)
    }

    /// Passes signals on to the command from now on.
    pub fn listen_to_signals(&self, outbox: Outbox) -> io::Result<()> {
        let fate = self.clone();
        signals::pass_on(outbox, move |signal| fate.heard(signal))
    }

    /// What the command shall hear of a signal.
    fn heard(&self, signal: i32) -> Option<u8> {
        let number = u8::try_from(signal).ok()?;
        let again = signal == SIGTERM && self.0.terms.fetch_add(1, Ordering::SeqCst) > 0;
        if again || !self.has_begun() {
            self.force(Cause::Signal(number));
            return None;
        }
        Some(if signal == SIGTERM { self.0.stop_signal } else { number })
    }

    fn force(&self, cause: Cause) {
        let _ = self.0.cause.set(cause);
        self.0.control.stop();
    }

    /// What ended the machine by force, if something did.
    pub fn cause(&self) -> Option<Cause> {
        self.0.cause.get().copied()
    }
}
