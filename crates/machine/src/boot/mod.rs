//! From the bytes of a kernel image to guest memory that a vCPU can be entered at.
//!
//! [`image`] recognises the file, [`elf`] loads it, [`initrd`] and [`cmdline`] go beside it at the
//! [`places`] that the memory map follows from, and [`acpi`] describes the machine and
//! [`pvh`] writes what the guest reads first. What
//! comes out is an [`Entry`]: registers are the work of `kvm`.

pub mod acpi;
pub mod cmdline;
pub mod elf;
mod entry;
mod error;
pub mod image;
pub mod initrd;
pub mod places;
pub mod pvh;
#[cfg(test)]
mod testkit;

use std::fs::File;

use illico_memory::Ram;

pub use self::acpi::Acpi;
pub use self::cmdline::CommandLine;
pub use self::entry::{BOOT_CS, BOOT_DS, BOOT_TSS, Entry};
pub use self::error::LoadError;

use self::elf::Elf;
use self::image::Format;
use self::places::Range;

/// PVH hands over addresses of 32 bits.
const PVH_CEILING: u64 = 1 << 32;

/// What a guest is loaded from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The kernel image.
    pub kernel: &'a File,
    /// The initial RAM disk.
    pub initrd: Option<&'a File>,
    /// The command line.
    pub command_line: &'a CommandLine,
    /// What the ACPI tables tell.
    pub acpi: &'a Acpi,
}

/// Loads a guest into RAM that is still zero, and says how to enter it.
pub fn load(ram: &Ram, sources: &Sources<'_>) -> Result<Entry, LoadError> {
    if places::low_ram_end(ram) < places::LEAST_RAM {
        return Err(LoadError::Memory { bytes: ram.size() });
    }
    let (format, size) = image::recognise(sources.kernel)?;
    let elf = match format {
        Format::Elf => Elf::parse(sources.kernel, size)?,
        Format::BzImage => return Err(LoadError::BzImage),
    };
    elf.load(sources.kernel, ram)?;
    let entry = elf.pvh.ok_or(elf::ElfError::NoPvhNote)?;
    let taken: Vec<Range> = elf.segments.iter().map(|segment| segment.memory).collect();
    let initrd = sources.initrd.map(|file| initrd::load(ram, file, PVH_CEILING, &taken)).transpose()?;
    sources.command_line.write(ram)?;
    let rsdp = sources.acpi.write(ram)?;
    let map = places::memory_map(ram, sources.acpi.pci.as_ref().map(|pci| pci.ecam));
    let start_info = pvh::write_start_info(ram, &map, initrd, rsdp)?;
    Ok(Entry::Pvh { entry, start_info })
}
