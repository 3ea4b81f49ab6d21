//! From an ELF kernel to guest memory that a vCPU can be entered at.
//!
//! [`elf`] loads the kernel, [`initrd`] and [`cmdline`] go beside it at the architecture's [`places`], ACPI tables describe
//! the machine, and [`pvh`] or [`linux64`] writes what the guest reads first. What comes out is an
//! [`Entry`]: registers are the work of `kvm`. Kernels in other forms than ELF are not understood here: the caller unpacks
//! them.

pub mod cmdline;
pub mod elf;
mod error;
pub mod initrd;
pub mod range;
#[cfg(test)]
pub(crate) mod testkit;

use std::fs::File;

use illico_memory::Ram;

pub use self::cmdline::CommandLine;
pub use self::error::LoadError;

use self::elf::{Elf, Start};
use self::range::Range;
use crate::arch::acpi::Acpi;
use crate::arch::boot::{Entry, linux64, places, pvh};
use crate::guest_log;
use crate::spans::Spans;

/// The byte after the highest that PVH can hand over to Linux, in 32 bits.
const PVH_INITRD_CEILING: u64 = 1 << 32;

/// How to enter a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// At the address of its PVH note.
    Pvh,
    /// At the address of its ELF header, by the 64-bit boot protocol of Linux.
    Linux64,
}

/// From this size on a kernel is loaded into large pages: it fills them, and the guest then takes one
/// page fault where it would take 512. Clearing one for a smaller kernel takes longer than its boot.
const LARGE_KERNEL: u64 = 2 << 20;

/// What a guest is loaded from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The kernel: an ELF file.
    pub kernel: &'a File,
    /// The initial RAM disk.
    pub initrd: Option<&'a File>,
    /// The command line.
    pub command_line: &'a CommandLine,
    /// What the ACPI tables tell.
    pub acpi: &'a Acpi,
    /// How to enter the kernel; without it, by PVH if it has the note.
    pub protocol: Option<Protocol>,
    /// What collects how long the parts of the work take.
    pub spans: &'a Spans,
}

/// A guest that is in RAM.
#[derive(Debug)]
pub struct Loaded {
    /// How to enter it.
    pub entry: Entry,
    /// Where its kernel may keep its log.
    pub log_places: Vec<Range>,
}

/// Loads a guest into RAM that is still zero, and says how to enter it.
pub fn load(ram: &Ram, sources: &Sources<'_>) -> Result<Loaded, LoadError> {
    if places::low_ram_end(ram) < places::MIN_RAM {
        return Err(LoadError::Memory { bytes: ram.size() });
    }
    let elf = load_kernel(ram, sources)?;
    let start = elf.start(sources.protocol)?;
    let ceiling = match start {
        Start::Pvh(_) => PVH_INITRD_CEILING,
        Start::Linux64(_) => linux64::INITRD_CEILING,
    };
    let kernel: Vec<Range> = elf.segments.iter().map(|segment| segment.memory).collect();
    let read = |file| sources.spans.timed("read the initrd", || initrd::load(ram, file, ceiling, &kernel));
    let initrd = sources.initrd.map(read).transpose()?;
    let describing = sources.spans.open("write what the guest reads first");
    sources.command_line.write(ram)?;
    let rsdp = sources.acpi.write(ram)?;
    let map = places::memory_map(ram, sources.acpi.pci.as_ref().map(|pci| pci.ecam));
    let entry = match start {
        Start::Pvh(entry) => Entry::Pvh { entry, start_info: pvh::write_start_info(ram, &map, initrd, rsdp)? },
        Start::Linux64(entry) => linux64::write(ram, entry, &map, initrd, rsdp)?,
    };
    // What the loader has not touched is the guest's to touch, in large pages; a small kernel was
    // loaded into small ones.
    ram.prefer_large_pages();
    drop(describing);
    let log_places = guest_log::places(ram, kernel, sources.command_line.as_str());
    Ok(Loaded { entry, log_places })
}

/// Loads the kernel.
fn load_kernel(ram: &Ram, sources: &Sources<'_>) -> Result<Elf, LoadError> {
    let file = sources.kernel;
    let elf = sources.spans.timed("read the kernel's headers", || Elf::read(file))?;
    let bytes: u64 = elf.segments.iter().map(|segment| segment.memory.end - segment.memory.start).sum();
    if bytes >= LARGE_KERNEL {
        ram.prefer_large_pages();
    }
    sources.spans.timed("read the kernel", || elf.load(file, ram))?;
    Ok(elf)
}

#[cfg(test)]
#[path = "boot_test.rs"]
mod tests;
