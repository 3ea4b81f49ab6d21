//! What the monitor hands over at entry: `hvm_start_info` version 1 (Xen `public/arch-x86/hvm/start_info.h`), its
//! memory map and the command line. Version 0, without a map, is not accepted.

const MAGIC: u32 = 0x336e_c578;
const MEMMAP_TYPE_RAM: u32 = 1;

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct MemoryMapEntry {
    pub(crate) address: u64,
    pub(crate) size: u64,
    kind: u32,
    reserved: u32,
}

impl StartInfo {
    /// # Safety
    /// `address` is what the monitor left in `ebx`: a start info in identity mapped memory that nobody changes.
    pub(crate) unsafe fn at(address: usize) -> Option<&'static Self> {
        // SAFETY: the caller's promise; the structure has only plain integers.
        let info = unsafe { (address as *const Self).as_ref() }?;
        (info.magic == MAGIC && info.version >= 1).then_some(info)
    }

    pub(crate) fn command_line(&self) -> &'static str {
        if self.command_line == 0 {
            return "";
        }
        // SAFETY: the start info points to a zero-terminated string that stays.
        let bytes = unsafe { core::ffi::CStr::from_ptr(self.command_line as *const core::ffi::c_char) };
        bytes.to_str().unwrap_or("")
    }

    pub(crate) fn memory_map(&self) -> &'static [MemoryMapEntry] {
        if self.memory_map == 0 {
            return &[];
        }
        // SAFETY: the start info gives address and number of entries of a table that stays.
        unsafe {
            core::slice::from_raw_parts(self.memory_map as *const MemoryMapEntry, self.memory_map_entries as usize)
        }
    }
}

impl MemoryMapEntry {
    pub(crate) fn is_ram(&self) -> bool {
        self.kind == MEMMAP_TYPE_RAM
    }

    pub(crate) fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }
}
