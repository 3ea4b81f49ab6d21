//! What depends on the architecture of the processor, behind one name.
//!
//! A second architecture is a folder beside `x86_64` that gives the same names, each with the same meaning:
//!
//! - [`boot`]: `Entry`, the state in which the first vCPU enters the guest; `places`, the address map of the low memory;
//!   the boot protocols that write what the guest reads first; `warm_mark`, how a reset after a panic is known.
//! - [`acpi`]: the tables that describe the machine.
//! - [`kvm`]: setting up a VM and its vCPUs, the registers, `PlatformExit`: the exits that only this architecture has.
//! - [`Platform`]: interrupt controller, UART, clock and power registers, which answer these exits and some of MMIO;
//!   [`Part`] and [`PlatformAccess`] name them in counts and in JSON; [`PowerRequest`] is what a guest asks for by them.
//!
//! docs/porting.md goes through it function by function. There is no trait: one architecture is compiled.

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("no architecture but x86-64 has a folder here yet; docs/porting.md says what one takes");

#[cfg(test)]
#[path = "arch_test.rs"]
mod tests;
