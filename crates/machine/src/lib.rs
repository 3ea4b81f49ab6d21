//! A configuration becomes a running virtual machine.

pub mod boot;
pub mod kvm;
pub mod legacy;
