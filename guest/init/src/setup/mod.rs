//! What is done before the command runs: modules, mounts, files in /etc, the network.

pub(crate) mod etc;
pub(crate) mod limits;
pub(crate) mod modules;
pub(crate) mod mounts;
pub(crate) mod netlink;
pub(crate) mod network;
pub(crate) mod root;

use std::fs::File;

use illico_protocol::Mount;
use rustix::fs::syncfs;

/// What must be written back before the guest is gone. Writing back a file system without writes would cost a
/// request to the host for nothing.
#[derive(Debug, Default)]
pub(crate) struct Disks(Vec<File>);

impl Disks {
    /// Adds the file system that this path is on.
    pub(crate) fn add(&mut self, path: impl AsRef<std::path::Path>) {
        self.0.extend(File::open(path).ok());
    }

    /// And those shares that can be written.
    pub(crate) fn with(mut self, mounts: &[Mount]) -> Self {
        for mount in mounts.iter().filter(|mount| !mount.readonly) {
            self.add(mount.path.as_path());
        }
        self
    }

    pub(crate) fn write_back(&self) {
        for file_system in &self.0 {
            let _ = syncfs(file_system);
        }
    }
}
