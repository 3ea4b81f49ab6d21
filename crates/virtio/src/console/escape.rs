//! The keys that a person at a terminal types for the monitor and not for the guest.

/// Ctrl-A: what follows may be for the monitor.
pub const ESCAPE: u8 = 0x01;
/// The key that leaves, after Ctrl-A.
pub const LEAVE: u8 = b'x';

/// Looks for Ctrl-A x. Ctrl-A twice is one Ctrl-A for the guest; before any other key it is passed on
/// with that key, so that only the two sequences with a meaning are ever changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Escape {
    armed: bool,
}

/// What was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Typed {
    /// Keys for the guest only.
    Stay,
    /// The keys to leave. Keys behind them are dropped.
    Leave,
}

impl Escape {
    /// Passes what is for the guest on to `guest`, across calls.
    pub fn filter(&mut self, typed: &[u8], mut guest: impl FnMut(u8)) -> Typed {
        for &key in typed {
            match (std::mem::take(&mut self.armed), key) {
                (false, ESCAPE) => self.armed = true,
                (false, key) | (true, key @ ESCAPE) => guest(key),
                (true, LEAVE) => return Typed::Leave,
                (true, key) => {
                    guest(ESCAPE);
                    guest(key);
                }
            }
        }
        Typed::Stay
    }
}

#[cfg(test)]
#[path = "escape_test.rs"]
mod tests;
