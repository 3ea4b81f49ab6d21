//! What developers run, as a library: Debian kernels, the lab, guest initramfs, exit histograms.
//!
//! The binary (`cargo xtask`) and the integration tests share it. It prepares and observes machines; nothing of it is
//! part of what users install.

#![allow(clippy::disallowed_methods, reason = "developer tools hold no machine")]

pub mod bench;
pub mod dist;
pub mod error;
pub mod exits;
pub mod guest;
pub mod hello;
pub mod kernels;
pub mod lab;
pub mod packages;
pub mod payload;
pub mod programs;
pub mod project;
pub mod shell;
pub mod soak;

pub use error::Error;
pub use exits::ExitHistogram;
pub use guest::GuestInit;
pub use illico_image::cpio;
pub use kernels::{Kernel, Series};
pub use lab::{Lab, Outcome};
