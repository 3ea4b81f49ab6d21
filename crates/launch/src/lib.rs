//! A machine as a library, in three steps.
//!
//! - A [`Plan`] is plain data: a kernel, a command, devices.
//! - [`Plan::prepare`] opens, makes and locks all that it needs, and gives a [`Prepared`].
//! - [`Prepared::start`] runs it on threads of its own and gives a [`Running`], which runs more commands, copies files,
//!   passes signals on, waits and stops; [`Prepared::run`] runs it on the calling thread.
//!
//! A kernel alone, without illico's PID 1, goes the same way from a [`boot::Plan`].
//!
//! [`vms`] is the folder by which other processes find a machine; [`agent`] and [`session`] reach the program in it.
//!
//! Nothing here prints, ends the process, reads the command line, or changes the process's signals or terminal: those
//! belong to the program that uses the library.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod agent;
pub mod boot;
pub mod copy;
pub mod environment;
mod error;
mod first;
mod jail;
mod kernel;
pub mod network;
pub mod outcome;
mod plan;
mod prepare;
pub mod process;
pub mod root;
mod running;
pub mod scratch;
pub mod session;
mod share;
pub mod signal_names;
pub mod vms;
pub mod watch;

pub use agent::Agent;
pub use environment::Environment;
pub use error::{LaunchError, Part, PlanError};
pub use first::Streams;
pub use illico_jail::JailError;
pub use jail::{Folders, Jail, raise};
pub use kernel::Kernel;
pub use outcome::{Forced, Handle, Outcome};
pub use plan::{HostSide, Plan};
pub use prepare::{Prepared, Supplies, begin};
pub use running::{Finished, Running};
pub use share::Share;
