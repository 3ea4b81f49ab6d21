//! How a request went, and the exit status that says so.

use serde::{Deserialize, Serialize};

/// The last thing that the agent says about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The command ended with this status. Requests that run no command end with 0.
    Exited(u8),
    /// The command was ended by this signal.
    Signalled(u8),
    /// The command's program was found, and the kernel would not run it.
    CannotExecute(String),
    /// There is no program of that name.
    NotFound(String),
    /// The agent could not do what was asked, and this is why.
    Failed(String),
}

/// A reason is one line for a person.
pub(crate) const MAX_REASON: usize = 4096;

impl Ending {
    pub const DONE: Ending = Ending::Exited(0);

    /// The status by the shell's rules: the command's own, 128 + n for signal n, 126, 127, and 125 if illico failed.
    pub fn status(&self) -> u8 {
        match self {
            Self::Exited(status) => *status,
            Self::Signalled(signal) => signal.saturating_add(128),
            Self::CannotExecute(_) => 126,
            Self::NotFound(_) => 127,
            Self::Failed(_) => 125,
        }
    }

    /// What to tell a person beside the status, if there is something.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Exited(_) | Self::Signalled(_) => None,
            Self::CannotExecute(reason) | Self::NotFound(reason) | Self::Failed(reason) => Some(reason),
        }
    }

    /// The same with a reason that fits into a frame.
    pub(crate) fn bounded(&self) -> Self {
        let mut ending = self.clone();
        match &mut ending {
            Self::Exited(_) | Self::Signalled(_) => {}
            Self::CannotExecute(reason) | Self::NotFound(reason) | Self::Failed(reason) => {
                reason.truncate(reason.floor_char_boundary(MAX_REASON));
            }
        }
        ending
    }
}

#[cfg(test)]
#[path = "ending_test.rs"]
mod tests;
