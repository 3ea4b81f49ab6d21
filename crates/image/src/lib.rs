//! What a machine starts from: OCI images and other root file systems, and the store that keeps them.
//!
//! - [`ImageSource`] says where an image comes from: a registry, an OCI layout, an archive, a tar, a folder, or a file
//!   system image that is used as it is.
//! - [`Store::resolve`] turns a source into an [`Image`]: one file that holds the whole root, and what the image's
//!   configuration says about the program to start.
//! - Nothing of an image is ever unpacked into the host's file system: entries of layers become inodes of an EROFS file.
//! - [`kernels`] are what guests boot, [`modules`] what belongs to them, and [`initramfs`] what a guest starts with.
//!
//! This crate knows nothing of machines and devices, and everything that it reads was written by others.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]
#![forbid(unsafe_code)]

pub mod compress;
mod config;
pub mod cpio;
pub mod digest;
pub mod erofs;
mod error;
mod file_part;
pub mod initramfs;
pub mod kernels;
pub mod layer;
mod limits;
pub mod modules;
pub mod oci;
mod origin;
mod progress;
pub mod reference;
mod registry;
mod resolve;
mod source;
mod store;
pub mod tar;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod tree;
mod verified;
pub mod xdg;

pub use config::ImageConfig;
pub use digest::Digest;
pub use error::Error;
pub use limits::Limits;
pub use progress::{Progress, Watch, unwatched};
pub use reference::Reference;
pub use registry::RegistryError;
#[cfg(any(test, feature = "testkit"))]
pub use registry::auth;
pub use source::{ImageSource, RootKind, SourceError};
pub use store::{Guard, Image, Record, RootFile, Store, Stored};
