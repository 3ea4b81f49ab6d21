//! What a machine starts from: OCI images and other root file systems, and the store that keeps them.
//!
//! - [`ImageSource`] says where an image comes from: a registry, an OCI layout, an archive, a tar, a folder, or a file
//!   system image that is used as it is.
//! - [`Store::resolve`] turns a source into an [`Image`]: one EROFS file that holds the whole root, and what the image's
//!   configuration says about the program to start.
//! - Nothing of an image is ever unpacked into the host's file system: entries of layers become inodes of the EROFS file.
//!
//! This crate knows nothing of machines and devices, and everything that it reads was written by others.

#![forbid(unsafe_code)]

pub mod digest;
pub mod erofs;
pub mod reference;
pub mod tree;

pub use digest::Digest;
pub use reference::Reference;
