//! Signals of this process, on their way to a command, and the size of the terminal's window.

use std::io::{self, stdin, stdout};

use illico_machine::threads::{self, Role};
use illico_protocol::{Frame, WindowSize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::terminal;
use illico_launch::session::Outbox;

/// Signals that are not for this process but for the command.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Passes signals on from now on. `instead` is asked first: what it answers is sent, if it answers anything.
pub fn pass_on(outbox: Outbox, mut instead: impl FnMut(i32) -> Option<u8> + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new(PASSED_ON.iter().chain(&[SIGWINCH]))?;
    let body = move || {
        for signal in signals.forever() {
            let frame = match signal {
                SIGWINCH => window().map(Frame::Resize),
                signal => instead(signal).map(Frame::Signal),
            };
            let _ = frame.map(|frame| outbox.send(&frame));
        }
    };
    threads::spawn(Role::Signals, "signals", body).map(drop)
}

/// The size of the person's terminal.
pub fn window() -> Option<WindowSize> {
    let size = terminal::size(stdout()).or_else(|| terminal::size(stdin()))?;
    Some(WindowSize { rows: size.rows, columns: size.columns })
}

/// The size that a terminal has if nobody looks at it.
pub const UNSEEN: WindowSize = WindowSize { rows: 24, columns: 80 };
