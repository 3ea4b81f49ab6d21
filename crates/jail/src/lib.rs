//! Takes rights away from the threads that face a guest.
//!
//! Everything that a machine needs is open before the first of these calls. [`process`] takes rights from the whole
//! process, [`seccomp`] the system calls from one thread, by its [`Role`]. Each is a [`Wall`]; the host may lack some of
//! them, and [`Walls`] says which are up. Not here: who calls this and when (the program, by its hook on threads).

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]

mod error;
pub mod paths;
pub mod process;
mod role;
pub mod seccomp;
mod wall;

pub use error::JailError;
pub use role::Role;
pub use wall::{Wall, Walls};

#[cfg(test)]
mod testkit;
