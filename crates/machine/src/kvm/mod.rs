//! Linux's /dev/kvm: the only room that makes KVM calls, and the only one of this crate with unsafe code.
//!
//! Follows Documentation/virt/kvm/api.rst of Linux 6.12. The machine is always the same one: local APICs
//! in the kernel, the IOAPIC ours (split irqchip), no PIC, no PIT. There is no trait over hypervisors,
//! because there is one.

mod core;
mod cpuid;
mod inside;
mod kick;
mod msr;
mod registers;
mod run_page;
mod slice;
mod stats;
mod tsc;
mod vcpu;
mod vm;

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use cpuid::{CpuModel, Supported, Vendor};
pub use kick::Kick;
pub use kvm_ioctls::Cap;
pub use registers::Registers;
pub use slice::take_short_turns;
pub use stats::{ParseStatsError, Stat, Stats, StatsReader};
pub use tsc::cycles;
pub use vcpu::{Entry, Exit, InternalError, Vcpu};
pub use vm::{MsiMessage, SlotId, Vm, VmOptions};

use crate::spans::Spans;

/// Where Linux offers KVM.
pub const DEVICE: &str = "/dev/kvm";

/// The only version that there has been since Linux 2.6.22; api.rst § 4.1 tells programs to insist on it.
const API_VERSION: i32 = 12;

/// What went wrong between us and KVM.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no such device.
    #[error(
        "{} does not exist: load kvm_intel or kvm_amd (modprobe), switch virtualisation on in the firmware, \
         or, where this machine is virtual itself, nested virtualisation in its hypervisor", path.display()
    )]
    Missing {
        /// What was opened.
        path: PathBuf,
    },
    /// The device is there, for others.
    #[error(
        "{} may not be opened by this user: run as root or join the group that owns it \
         (usually `usermod -aG kvm USER`, then log in again)", path.display()
    )]
    NotPermitted {
        /// What was opened.
        path: PathBuf,
    },
    /// It speaks something else.
    #[error("KVM has API version {found}, not {API_VERSION}: this is no KVM of Linux 2.6.22 or newer")]
    ApiVersion {
        /// The answer to `KVM_GET_API_VERSION`, negative for an error.
        found: i32,
    },
    /// The kernel refused a call.
    #[error("cannot {attempt}")]
    Refused {
        /// What was attempted, with its values.
        attempt: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The kernel's statistics are not what api.rst § 4.134 describes.
    #[error("cannot understand the statistics of KVM")]
    Stats(#[from] ParseStatsError),
}

impl KvmError {
    fn refused(attempt: impl Into<String>) -> impl FnOnce(kvm_ioctls::Error) -> Self {
        let attempt = attempt.into();
        move |error| Self::Refused { attempt, source: error.into() }
    }
}

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
