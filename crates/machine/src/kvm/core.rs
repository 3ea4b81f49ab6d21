//! What the thread of a vCPU and those who kick it share.

use std::sync::Arc;

use kvm_ioctls::VcpuFd;

use super::Vm;
use super::inside::Inside;
use super::run_page::RunPage;

/// What a vCPU shares with those who kick it.
pub(super) struct Core {
    pub(super) page: RunPage,
    pub(super) inside: Inside,
    pub(super) fd: VcpuFd,
    /// Keeps guest memory mapped as long as a vCPU can touch it.
    pub(super) vm: Arc<Vm>,
}
