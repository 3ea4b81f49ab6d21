//! What the integration tests share: a stage to boot guests on, and the guests' initramfs.
//!
//! A test describes files, disks and guests and reads what became of them. Whether that happens on this host's
//! /dev/kvm or in the lab is decided here and said aloud. Everything here panics: there is nobody to hand errors to.

mod direct;
pub mod ext4;
pub mod guest;
pub mod image;
pub mod registry;
pub mod stage;
pub mod user;

pub use stage::{Guest, Ran, Stage};
