//! From the bytes of a kernel image to guest memory that a vCPU can be entered at.

mod entry;

pub use entry::{BOOT_CS, BOOT_DS, BOOT_TSS, Entry};
