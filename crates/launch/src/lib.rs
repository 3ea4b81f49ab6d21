//! A machine as a library: what is to run ([`vms::Asked`]), the folder that other processes find it by ([`vms`]), and the
//! agent inside it ([`agent`], [`session`]).
//!
//! Nothing here prints, ends the process, reads the command line, or changes the process's signals or terminal: those
//! belong to the program that uses the library.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]
#![forbid(unsafe_code)]

pub mod agent;
pub mod session;
pub mod signal_names;
pub mod vms;
