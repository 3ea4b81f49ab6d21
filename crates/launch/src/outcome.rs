//! How a machine is ended from outside, and how it ended.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use illico_machine::control::{Control, End};
use illico_machine::threads::{self, Role};
use illico_protocol::{Ending, Frame, WindowSize};

use crate::process::SIGTERM;
use crate::session::{Broken, Outbox};

/// What ended a machine before its command had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// A signal that came before the command began, or SIGTERM for the second time.
    Signal(u8),
    /// The time that the plan gave it was over.
    Timeout,
}

impl Forced {
    /// The status: as of a process that the signal ended, and as of timeout(1).
    pub fn status(self) -> u8 {
        match self {
            Self::Signal(signal) => signal.saturating_add(128),
            Self::Timeout => 124,
        }
    }
}

impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "signal {signal} stopped the machine"),
            Self::Timeout => f.write_str("the machine's time was over"),
        }
    }
}

/// A way to reach a machine and its first command while it runs. Clones reach the same one.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    control: Control,
    outbox: Outbox,
    forced: OnceLock<Forced>,
    on_force: OnceLock<Box<dyn Fn() + Send + Sync>>,
    begun: AtomicBool,
    /// SIGTERMs so far.
    terms: AtomicU32,
    /// What the command gets in place of SIGTERM.
    stop_signal: u8,
}

impl Handle {
    pub(crate) fn new(control: Control, outbox: Outbox, stop_signal: u8) -> Self {
        let (begun, terms) = (AtomicBool::new(false), AtomicU32::new(0));
        let (forced, on_force) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { control, outbox, forced, on_force, begun, terms, stop_signal }))
    }

    /// Has this done when the machine is ended by force. Set once.
    pub(crate) fn on_force(&self, act: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.on_force.set(Box::new(act));
    }

    /// Notes that the command has begun: signals are the command's from now on.
    pub(crate) fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
    }

    /// Whether the command has begun.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Ends the machine after its command.
    pub(crate) fn end(&self) {
        self.0.control.stop();
    }

    /// Ends the machine after this time.
    pub(crate) fn end_after(&self, time: Duration) -> io::Result<()> {
        let handle = self.clone();
        let body = move || {
            thread::sleep(time);
            handle.force(Forced::Timeout);
        };
        threads::spawn(Role::Timer, "timeout", body).map(drop)
    }

    /// Sends the command a signal. SIGTERM becomes the stop signal of its image; a second SIGTERM, and any signal before
    /// the command has begun, ends the machine instead. Returns whether the machine ends.
    pub fn signal(&self, number: u8) -> bool {
        let again = number == SIGTERM && self.0.terms.fetch_add(1, Ordering::SeqCst) > 0;
        if again || !self.has_begun() {
            self.force(Forced::Signal(number));
            return true;
        }
        let number = if number == SIGTERM { self.0.stop_signal } else { number };
        // A signal always fits into a frame.
        let _ = self.0.outbox.send(&Frame::Signal(number));
        false
    }

    /// Tells the command's terminal its new size.
    pub fn resize(&self, size: WindowSize) {
        // A size always fits into a frame.
        let _ = self.0.outbox.send(&Frame::Resize(size));
    }

    /// Ends the machine now, whatever its command does.
    pub fn stop(&self) {
        self.force(Forced::Signal(SIGTERM));
    }

    fn force(&self, forced: Forced) {
        let _ = self.0.forced.set(forced);
        self.0.control.stop();
        if let Some(act) = self.0.on_force.get() {
            act();
        }
    }

    /// What ended the machine by force, if anything did.
    pub fn forced(&self) -> Option<Forced> {
        self.0.forced.get().copied()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { control, forced, begun, .. } = &*self.0;
        f.debug_tuple("Handle").field(control).field(forced).field(begun).finish()
    }
}

/// How a machine ended.
#[derive(Debug)]
pub enum Outcome {
    /// With its command.
    Command(Ending),
    /// By force.
    Forced(Forced),
    /// By the guest, before its command had ended.
    Guest(End),
    /// The connection to the command failed.
    Broken(Broken),
}

impl Outcome {
    pub(crate) fn new(forced: Option<Forced>, ending: Result<Ending, Broken>, end: End) -> Self {
        match (forced, ending) {
            (_, Ok(ending)) => Self::Command(ending),
            (Some(forced), Err(_)) => Self::Forced(forced),
            (None, Err(Broken::Gone)) => Self::Guest(end),
            (None, Err(broken)) => Self::Broken(broken),
        }
    }

    /// The status that a process with this end has, by the shell's rules; 125 where the command did not end.
    pub fn status(&self) -> u8 {
        match self {
            Self::Command(ending) => ending.status(),
            Self::Forced(forced) => forced.status(),
            Self::Guest(_) | Self::Broken(_) => 125,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(ending) => match (ending.reason(), ending) {
                (Some(reason), _) => f.write_str(reason),
                (None, Ending::Signalled(signal)) => write!(f, "signal {signal} ended the command"),
                (None, _) => f.write_str("the command ended"),
            },
            Self::Forced(forced) => forced.fmt(f),
            Self::Guest(end) => write!(f, "the guest ended before its command: {}", why(end)),
            Self::Broken(broken) => {
                broken.fmt(f)?;
                let mut source = std::error::Error::source(broken);
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
        }
    }
}

/// Why a machine ended, in a few words.
pub fn why(end: &End) -> &'static str {
    match end {
        End::PowerOff => "the guest powered off",
        End::Reset => "the guest reset",
        End::Panicked => "the guest's kernel panicked",
        End::TripleFault { .. } => "a vCPU triple-faulted",
        End::InternalError { .. } => "KVM could not go on",
        End::VcpuFailed { .. } => "a vCPU could not be run",
        End::Left => "the person at the terminal left",
        End::Stopped => "it was stopped",
        End::Unanswered { .. } => "it was stopped: the guest did not power off when it was asked to",
    }
}
