//! x86-64: a PC without firmware and with as little else as a kernel lets it do without.

pub mod acpi;
pub mod boot;
pub mod kvm;
mod legacy;
mod platform;

pub use legacy::acpi_ports::PowerRequest;
pub use platform::{Answer, Part, Platform, PlatformAccess};
