//! The statuses that illico ends with. They are documented in the `--help` of each verb and the README.

use std::process::ExitCode;

use illico_machine::control::End;

/// How illico ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The guest powered off or reset, or the user left.
    Ended,
    /// Guests do not run on this host, says `illico doctor`.
    CannotRun,
    /// The guest's kernel panicked.
    Panicked,
    /// A vCPU triple-faulted.
    TripleFault,
    /// KVM met something that it cannot do.
    KvmError,
    /// A vCPU could not be entered.
    VcpuFailed,
    /// The guest ended well, and spent more exits than its budget allows.
    OverBudget,
    /// illico could not do what was asked.
    Failed,
    /// The reader of standard output left.
    Unread,
    /// A second SIGTERM, or one that the guest did not answer.
    Terminated,
    /// What a command in a guest ended with.
    Command(u8),
}

impl Status {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ended => 0,
            Self::CannotRun => 1,
            Self::Panicked => 101,
            Self::TripleFault => 102,
            Self::KvmError => 103,
            Self::VcpuFailed => 104,
            Self::OverBudget => 105,
            Self::Failed => 125,
            // As of a process that SIGPIPE ends.
            Self::Unread => 141,
            Self::Terminated => 143,
            Self::Command(status) => status,
        }
    }

    /// The status of a machine that ended.
    pub fn of(end: &End) -> Self {
        match end {
            End::PowerOff | End::Reset | End::Left => Self::Ended,
            End::Panicked => Self::Panicked,
            End::TripleFault { .. } => Self::TripleFault,
            End::InternalError { .. } => Self::KvmError,
            End::VcpuFailed { .. } => Self::VcpuFailed,
            End::Stopped | End::Unanswered { .. } => Self::Terminated,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
