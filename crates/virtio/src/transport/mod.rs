//! How a driver reaches a device's registers: one core, and two register tables over it.
//!
//! In both, every register that a driver reads without side effect lies in a page that the guest maps
//! read-only: reading it costs no exit. Writes exit, and the transport brings the page up to date.

pub mod core;
pub mod features;
pub mod mmio;
pub mod pci;
mod status;

#[cfg(test)]
mod toy;
