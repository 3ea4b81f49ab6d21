//! The terminal of the person who runs a machine: raw while the guest has it, and given back as it was.
//!
//! It is given back on every way out that a program can see: the guard's end, a panic (also where a panic
//! aborts), and `restore` for a caller that leaves in another way. Nothing helps against SIGKILL; the
//! person then types `reset`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::sync::{Arc, Mutex, TryLockError};

use illico_virtio::console::Size;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal in raw mode, until this is dropped.
///
/// Every key is the guest's, Ctrl-C, Ctrl-Z and Ctrl-S among them; the guest's own terminal gives them
/// their meaning, echoes and edits.
#[derive(Debug)]
pub struct RawMode {
    saved: Saved,
}

/// Puts a raw terminal back from another thread, if that was not done yet.
#[derive(Debug, Clone)]
pub struct Restorer(Saved);

impl Restorer {
    /// Puts it back now.
    pub fn restore(&self) {
        restore(&self.0);
    }
}

/// The settings that the terminal had, taken by the first thread that restores them.
type Saved = Arc<Mutex<Option<(OwnedFd, Termios)>>>;

impl RawMode {
    /// Makes a terminal raw. `None` where `terminal` is none.
    pub fn enter(terminal: impl AsFd) -> io::Result<Option<Self>> {
        let terminal = terminal.as_fd();
        if !isatty(terminal) {
            return Ok(None);
        }
        // A descriptor of its own, so that it can be put back whatever happens to the other.
        let terminal = terminal.try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        let mode = Self { saved: Arc::new(Mutex::new(Some((terminal.try_clone()?, before)))) };
        mode.restore_before_a_panic_is_told();
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        Ok(Some(mode))
    }

    /// A way to put it back from another thread.
    pub fn restorer(&self) -> Restorer {
        Restorer(Arc::clone(&self.saved))
    }

    /// Puts the terminal back now.
    pub fn restore(&self) {
        restore(&self.saved);
    }

    /// In the hook and not in a destructor: a panic aborts, and its message must be readable.
    fn restore_before_a_panic_is_told(&self) {
        let saved = Arc::clone(&self.saved);
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore(&saved);
            tell(info);
        }));
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.restore();
    }
}

fn restore(saved: &Saved) {
    let mut saved = match saved.try_lock() {
        Ok(saved) => saved,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another thread is just doing it.
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some((terminal, before)) = saved.take() {
        // Now, and not once the output has drained, which a stopped terminal would make for ever. It fails
        // only where the terminal has gone.
        let _ = tcsetattr(terminal, OptionalActions::Now, &before);
    }
}

/// How large the window is. `None` where `terminal` is none, or does not know.
pub fn size(terminal: impl AsFd) -> Option<Size> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size { columns: size.ws_col, rows: size.ws_row })
}

#[cfg(test)]
#[path = "terminal_test.rs"]
mod tests;
