//! Linux's /dev/kvm: the only room that makes KVM calls, but for those that set up a processor of one architecture
//! (`arch::kvm`), and the only two of this crate with unsafe code.
//!
//! Follows Documentation/virt/kvm/api.rst of Linux 6.12. There is no trait over hypervisors, because there is one.

#![allow(unsafe_code)]

mod core;
pub(crate) mod error;
mod inside;
mod kick;
pub(crate) mod run_page;
mod slice;
mod stats;
mod vcpu;
mod vm;

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::path::Path;
use std::sync::Arc;

pub use error::KvmError;
pub use kick::Kick;
pub use kvm_ioctls::Cap;
pub use slice::take_short_turns;
pub use stats::{ParseStatsError, Stat, Stats, StatsReader};
pub use vcpu::{Entry, Exit, InternalError, Vcpu};
pub use vm::{SlotId, Vm, VmOptions};

use self::error::API_VERSION;
use crate::arch::kvm::Supported;
use crate::spans::Spans;

/// Where Linux offers KVM.
pub const DEVICE: &str = "/dev/kvm";

/// An open /dev/kvm of the right version. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Kvm {
    fd: Arc<kvm_ioctls::Kvm>,
    spans: Spans,
}

impl Kvm {
    /// Opens [`DEVICE`].
    pub fn open() -> Result<Self, KvmError> {
        Self::open_timed(Spans::default())
    }

    /// Opens [`DEVICE`], and has `spans` collect how long it and its machine take for calls.
    pub fn open_timed(spans: Spans) -> Result<Self, KvmError> {
        Self::open_at(Path::new(DEVICE), spans)
    }

    /// Opens the device at `path`.
    fn open_at(path: &Path, spans: Spans) -> Result<Self, KvmError> {
        let opened = spans.timed("open /dev/kvm", || File::options().read(true).write(true).open(path));
        let file = opened.map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound => KvmError::Missing { path },
                io::ErrorKind::PermissionDenied => KvmError::NotPermitted { path },
                _ => KvmError::Refused { attempt: format!("open {}", path.display()), source },
            }
        })?;
        Self::from_file(file, spans)
    }

    /// Takes a /dev/kvm that the caller opened.
    pub fn from_file(file: File, spans: Spans) -> Result<Self, KvmError> {
        // SAFETY: the descriptor was owned by `file`, which gave it up.
        let fd = unsafe { kvm_ioctls::Kvm::from_raw_fd(file.into_raw_fd()) };
        match spans.timed("KVM_GET_API_VERSION", || fd.get_api_version()) {
            API_VERSION => Ok(Self { fd: Arc::new(fd), spans }),
            found => Err(KvmError::ApiVersion { found }),
        }
    }

    /// What collects how long work with it takes.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// What KVM supports of the host's processor.
    pub fn supported(&self) -> Result<Supported, KvmError> {
        Supported::ask(&self.fd, &self.spans)
    }

    /// What KVM says to a capability: 0 for no, 1 for yes, or a number that the capability gives a meaning.
    pub fn check(&self, capability: Cap) -> i32 {
        self.fd.check_extension_int(capability)
    }

    /// Whether KVM tells what it did (`KVM_GET_STATS_FD`, Linux 5.14).
    pub fn has_stats(&self) -> bool {
        self.fd.check_extension_raw(kvm_bindings::KVM_CAP_BINARY_STATS_FD.into()) > 0
    }

    /// Makes a machine without memory and without vCPUs.
    pub fn create_vm(&self, options: &VmOptions) -> Result<Vm, KvmError> {
        Vm::create(&self.fd, options, self.spans.clone())
    }
}

#[cfg(test)]
#[path = "kvm_test.rs"]
mod tests;
