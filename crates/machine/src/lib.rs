//! A configuration becomes a running virtual machine.
//!
//! [`config`] says what it is, [`build`] makes it, [`machine`] runs it: a thread for each vCPU ([`vcpu_thread`]) whose exits
//! the [`bus`] answers, a thread with an event loop for devices, more of these for devices that ask for them, and the
//! control loop, which ends the machine and serves no device, on the calling thread. All threads start in [`threads`].
//! [`exits`] counts, [`report`] presents the counts.

#![deny(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]

pub mod arch;
pub mod boot;
pub mod build;
pub mod bus;
pub mod config;
pub mod control;
mod deadlines;
mod describe;
pub mod devices;
mod ending;
pub mod exit_samples;
pub mod exits;
pub mod guest_log;
pub mod irq;
pub mod kicks;
pub mod kvm;
pub mod lazy_slot;
pub mod live;
pub mod loop_thread;
pub mod machine;
pub mod mmio;
pub mod pci;
pub mod report;
pub mod spans;
pub mod threads;
pub mod timeline;
pub mod vcpu_thread;
