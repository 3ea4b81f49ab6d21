//! System calls by role: a filter that a thread installs for itself (`seccomp(2)`).
//!
//! [`allowed`] is the table; [`enter`] makes a filter of it and installs it on the calling thread. A call that is not
//! allowed raises SIGSYS, whose handler prints the role and the call in one line; then the process ends, or, where only
//! a warning was asked for, the call is made all the same.

mod allowed;
mod filter;
mod ioctls;
mod refusal;

pub use self::allowed::{Allowed, When, allowed};
pub use self::refusal::STATUS;

use crate::error::{JailError, refused};
use crate::role::Role;

/// What happens to a call that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is printed, and made.
    Warn,
    /// It is printed, and the process ends.
    End,
}

/// Sees to it that refused calls are printed. For the process, once, before the first filter.
pub fn prepare(mode: Mode) -> Result<(), JailError> {
    refusal::handle(mode).map_err(refused("handle SIGSYS"))
}

/// Leaves the calling thread, and what it may start, only the system calls of its role. Sets `no_new_privs`.
pub fn enter(role: Role, mode: Mode) -> Result<(), JailError> {
    let program = filter::program(role, mode)?;
    refusal::set_role(role);
    filter::install(&program)
}

#[cfg(test)]
#[path = "seccomp_test.rs"]
mod tests;
