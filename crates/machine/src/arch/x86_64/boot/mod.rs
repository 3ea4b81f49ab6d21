//! How a kernel is entered on x86-64: by PVH or by the 64-bit boot protocol of Linux, and what lies where in low memory.

mod entry;
pub mod linux64;
pub mod places;
pub mod pvh;
pub mod warm_mark;

pub use entry::{BOOT_CS, BOOT_DS, BOOT_TSS, Entry};
