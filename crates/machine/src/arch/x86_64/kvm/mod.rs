//! KVM on x86-64: what a VM and its vCPUs are set up with, and the exits that only this architecture has.

mod cpuid;
mod exit;
mod msr;
mod registers;
mod set_up;
#[allow(unsafe_code)]
mod tsc;

pub use cpuid::{CpuModel, Supported, Vendor};
pub use exit::PlatformExit;
pub(crate) use exit::{PendingAccess, decode};
pub use registers::Registers;
pub(crate) use set_up::{enter_at, set_up_vcpu, set_up_vm};
pub use tsc::cycles;
