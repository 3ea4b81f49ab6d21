//! The PVH start info: Xen public/arch-x86/hvm/start_info.h, version 1.
//!
//! One page holds the structure, the module list (the initrd, if any) and the memory map. The vCPU
//! enters with the page's address in `ebx`.

use illico_memory::{GuestAddress, OutOfRam, Ram};
use zerocopy::{Immutable, IntoBytes};

use super::places::{COMMAND_LINE, Kind, PAGE, START_INFO};
use crate::boot::range::Range;

/// `XEN_HVM_START_MAGIC_VALUE`.
const MAGIC: u32 = 0x336e_c578;
/// The first version with a memory map.
const VERSION: u32 = 1;
/// Where in the page the module list begins.
const MODULES: u64 = 0x40;
/// Where in the page the memory map begins.
const MEMORY_MAP: u64 = 0x80;

/// `hvm_start_info`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    nr_modules: u32,
    modlist_paddr: u64,
    cmdline_paddr: u64,
    rsdp_paddr: u64,
    memmap_paddr: u64,
    memmap_entries: u32,
    reserved: u32,
}

/// `hvm_modlist_entry`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Module {
    paddr: u64,
    size: u64,
    cmdline_paddr: u64,
    reserved: u64,
}

/// `hvm_memmap_table_entry`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct MemoryMapEntry {
    addr: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

/// Writes the start info to its place. The command line is at its own.
pub fn write_start_info(
    ram: &Ram,
    map: &[(Range, Kind)],
    initrd: Option<Range>,
    rsdp: GuestAddress,
) -> Result<GuestAddress, OutOfRam> {
    let info = StartInfo {
        magic: MAGIC,
        version: VERSION,
        flags: 0,
        nr_modules: initrd.is_some().into(),
        modlist_paddr: if initrd.is_some() { START_INFO.0 + MODULES } else { 0 },
        cmdline_paddr: COMMAND_LINE.0,
        rsdp_paddr: rsdp.0,
        memmap_paddr: START_INFO.0 + MEMORY_MAP,
        memmap_entries: map.len() as u32,
        reserved: 0,
    };
    ram.write(START_INFO, info.as_bytes())?;
    if let Some(Range { start, end }) = initrd {
        let module = Module { paddr: start, size: end - start, cmdline_paddr: 0, reserved: 0 };
        ram.write(GuestAddress(START_INFO.0 + MODULES), module.as_bytes())?;
    }
    let entries: Vec<MemoryMapEntry> = map
        .iter()
        .map(|&(Range { start, end }, kind)| MemoryMapEntry {
            addr: start,
            size: end - start,
            kind: kind as u32,
            reserved: 0,
        })
        .collect();
    let bytes = entries.as_bytes();
    assert!(MEMORY_MAP + bytes.len() as u64 <= PAGE, "{} ranges of memory do not fit into the page", map.len());
    ram.write(GuestAddress(START_INFO.0 + MEMORY_MAP), bytes)?;
    Ok(START_INFO)
}

#[cfg(test)]
#[path = "pvh_test.rs"]
mod tests;
