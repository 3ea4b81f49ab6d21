//! What can go wrong between the monitor and KVM, each as one line with what to do.

use std::io;
use std::path::PathBuf;

use super::stats::ParseStatsError;

/// The only version since Linux 2.6.22; api.rst § 4.1 tells programs to insist on it.
pub(super) const API_VERSION: i32 = 12;

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
    pub(crate) fn refused(attempt: impl Into<String>) -> impl FnOnce(kvm_ioctls::Error) -> Self {
        let attempt = attempt.into();
        move |error| Self::Refused { attempt, source: error.into() }
    }
}
