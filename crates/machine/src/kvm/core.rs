//! State that a vCPU's thread shares with the threads that kick it.

use std::sync::Arc;

use kvm_ioctls::VcpuFd;

use super::Vm;
use super::inside::Inside;
use super::run_page::RunPage;

/// What a vCPU shares with its kicks.
pub(super) struct Core {
    pub(super) page: RunPage,
    pub(super) inside: Inside,
    pub(super) fd: VcpuFd,
    /// Keeps guest memory mapped as long as a vCPU can touch it.
    pub(super) vm: Arc<Vm>,
}
