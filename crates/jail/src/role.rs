//! What a thread is for, as far as its rights differ.

use std::fmt;

/// What a thread is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Runs one vCPU.
    Vcpu,
    /// Runs the event loop that devices share.
    Devices,
    /// Runs the event loop of one device, or of one of its queues, that opens no files.
    Queue,
    /// Serves a shared folder.
    Files,
    /// Carries the streams of the guest's command.
    Session,
    /// Waits for signals or for a time, and ends the machine.
    Watch,
    /// Ends the machine, and writes down how it ended.
    Control,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Vcpu, Self::Devices, Self::Queue, Self::Files, Self::Session, Self::Watch, Self::Control];

    /// Its name in messages and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vcpu => "vcpu",
            Self::Devices => "devices",
            Self::Queue => "queue",
            Self::Files => "files",
            Self::Session => "session",
            Self::Watch => "watch",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
