//! A configuration becomes a running virtual machine.
//!
//! [`config`] says what it is, [`build`] makes it, [`machine`] runs it: a thread for each vCPU
//! ([`vcpu_thread`]) whose exits the [`bus`] answers, and a loop on the calling thread for devices.
//! [`exits`] counts, [`report`] tells.

pub mod boot;
pub mod build;
pub mod bus;
pub mod config;
pub mod control;
pub mod devices;
pub mod exit_samples;
pub mod exits;
pub mod first_look;
pub mod guest_log;
pub mod irq;
pub mod kicks;
pub mod kvm;
pub mod legacy;
pub mod live;
pub mod loop_thread;
pub mod machine;
pub mod mmio;
pub mod pci;
pub mod report;
pub mod timeline;
pub mod vcpu_thread;
