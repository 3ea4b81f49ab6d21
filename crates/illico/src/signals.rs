//! Signals of this process, on their way to a machine, and the size of the terminal's window.

use std::io::{self, stdin, stdout};

use illico_machine::threads::{self, Role};
use illico_protocol::WindowSize;
use signal_hook::consts::{SIGBUS, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::bus_error;
use crate::status::Status;
use crate::terminal::{self, Restorer};

/// Signals that are the command's.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// What this process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A signal, by its number.
    Signal(u8),
    /// The person's terminal has another size.
    Resize(WindowSize),
}

/// Calls `heard` on a thread of its own for every signal from now on.
pub fn watch(heard: impl FnMut(Event) + Send + 'static) -> io::Result<()> {
    watch_and(&[SIGWINCH], heard)
}

/// The same for a process that holds a machine, whose memory may be a file that is cut short: see [`crate::bus_error`].
pub fn watch_with_machine(terminal: Option<Restorer>, mut heard: impl FnMut(Event) + Send + 'static) -> io::Result<()> {
    watch_and(&[SIGWINCH, SIGBUS], move |event| match event {
        Event::Signal(number) if i32::from(number) == SIGBUS => {
            bus_error::end_process(Status::Failed, terminal.as_ref())
        }
        event => heard(event),
    })
}

fn watch_and(more: &[i32], mut heard: impl FnMut(Event) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new(PASSED_ON.iter().chain(more))?;
    let body = move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGWINCH => window().map(Event::Resize),
                signal => u8::try_from(signal).ok().map(Event::Signal),
            };
            event.into_iter().for_each(&mut heard);
        }
    };
    threads::spawn(Role::Signals, "signals", body).map(drop)
}

/// The size of the person's terminal.
pub fn window() -> Option<WindowSize> {
    let size = terminal::size(stdout()).or_else(|| terminal::size(stdin()))?;
    Some(WindowSize { rows: size.rows, columns: size.columns })
}

/// The size of a command's terminal that is joined to no terminal of the host.
pub const UNSEEN: WindowSize = WindowSize { rows: 24, columns: 80 };
