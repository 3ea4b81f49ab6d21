//! The ELF header and the program headers, of both classes (gABI chapters 4 and 5).

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zerocopy::FromBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::{ElfError, Source};

/// More program headers than any kernel has; Linux has five.
const MAX_PROGRAM_HEADERS: u16 = 64;

const MAGIC: [u8; 4] = *b"\x7fELF";
pub(super) const CLASS_32: u8 = 1;
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const MACHINE_386: u16 = 3;
const MACHINE_X86_64: u16 = 62;
const TYPE_RELOCATABLE: u16 = 1;
const TYPE_EXECUTABLE: u16 = 2;
pub(super) const TYPE_SHARED: u16 = 3;
const TYPE_CORE: u16 = 4;

#[derive(FromBytes)]
#[repr(C)]
struct Ident {
    magic: [u8; 4],
    class: u8,
    data: u8,
    _rest: [u8; 10],
    kind: U16,
    machine: U16,
    _version: U32,
}

/// What follows `Ident` in ELF64.
#[derive(FromBytes)]
#[repr(C)]
struct Header64 {
    entry: U64,
    phoff: U64,
    _shoff: U64,
    _flags: U32,
    _ehsize: U16,
    phentsize: U16,
    phnum: U16,
}

/// What follows `Ident` in ELF32.
#[derive(FromBytes)]
#[repr(C)]
struct Header32 {
    entry: U32,
    phoff: U32,
    _shoff: U32,
    _flags: U32,
    _ehsize: U16,
    phentsize: U16,
    phnum: U16,
}

#[derive(FromBytes)]
#[repr(C)]
struct ProgramHeader64 {
    kind: U32,
    _flags: U32,
    offset: U64,
    _vaddr: U64,
    paddr: U64,
    filesz: U64,
    memsz: U64,
    align: U64,
}

#[derive(FromBytes)]
#[repr(C)]
struct ProgramHeader32 {
    kind: U32,
    offset: U32,
    _vaddr: U32,
    paddr: U32,
    filesz: U32,
    memsz: U32,
    _flags: U32,
    align: U32,
}

/// A program header of either class.
pub(super) struct ProgramHeader {
    pub(super) kind: u32,
    pub(super) offset: u64,
    pub(super) paddr: u64,
    pub(super) filesz: u64,
    pub(super) memsz: u64,
    pub(super) align: u64,
}

impl From<ProgramHeader64> for ProgramHeader {
    fn from(p: ProgramHeader64) -> Self {
        Self {
            kind: p.kind.get(),
            offset: p.offset.get(),
            paddr: p.paddr.get(),
            filesz: p.filesz.get(),
            memsz: p.memsz.get(),
            align: p.align.get(),
        }
    }
}

impl From<ProgramHeader32> for ProgramHeader {
    fn from(p: ProgramHeader32) -> Self {
        Self {
            kind: p.kind.get(),
            offset: p.offset.get().into(),
            paddr: p.paddr.get().into(),
            filesz: p.filesz.get().into(),
            memsz: p.memsz.get().into(),
            align: p.align.get().into(),
        }
    }
}

/// What the two ELF headers have in common.
pub(super) struct Header {
    pub(super) class: u8,
    pub(super) kind: u16,
    pub(super) entry: u64,
    phoff: u64,
    phentsize: u16,
    phnum: u16,
}

impl Header {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ElfError> {
        const BROKEN: ElfError = ElfError::Header("it is too short");
        let mut bytes = [0; 64];
        let size = source.size.min(64) as usize;
        source.read("the ELF header", 0, bytes.get_mut(..size).unwrap_or_default())?;
        let (ident, rest) = Ident::read_from_prefix(&bytes).map_err(|_| BROKEN)?;
        if ident.magic != MAGIC {
            return Err(ElfError::Header("no ELF magic"));
        }
        if ident.data != LITTLE_ENDIAN {
            return Err(ElfError::Machine("a big endian machine".into()));
        }
        let least = if ident.class == CLASS_32 { 52 } else { 64 };
        if source.size < least {
            return Err(ElfError::Truncated { what: "the ELF header", end: least, size: source.size });
        }
        let kind = ident.kind.get();
        let header = match (ident.class, ident.machine.get()) {
            (CLASS_64, MACHINE_X86_64) => {
                let (h, _) = Header64::read_from_prefix(rest).map_err(|_| BROKEN)?;
                let (entry, phoff) = (h.entry.get(), h.phoff.get());
                Self { class: CLASS_64, kind, entry, phoff, phentsize: h.phentsize.get(), phnum: h.phnum.get() }
            }
            (CLASS_32, MACHINE_386) => {
                let (h, _) = Header32::read_from_prefix(rest).map_err(|_| BROKEN)?;
                let (entry, phoff) = (h.entry.get().into(), h.phoff.get().into());
                Self { class: CLASS_32, kind, entry, phoff, phentsize: h.phentsize.get(), phnum: h.phnum.get() }
            }
            (CLASS_32 | CLASS_64, machine) => return Err(ElfError::Machine(machine_name(machine))),
            _ => return Err(ElfError::Header("its class is neither 32 nor 64 bit")),
        };
        match kind {
            TYPE_EXECUTABLE | TYPE_SHARED => Ok(header),
            TYPE_RELOCATABLE => Err(ElfError::NotAKernel("an object file or a kernel module")),
            TYPE_CORE => Err(ElfError::NotAKernel("a core dump")),
            _ => Err(ElfError::Header("its type is unknown")),
        }
    }

    pub(super) fn program_headers(&self, source: &Source<'_>) -> Result<Vec<ProgramHeader>, ElfError> {
        if self.phnum == 0 {
            return Err(ElfError::Empty);
        }
        if self.phnum > MAX_PROGRAM_HEADERS {
            return Err(ElfError::Header("it has more than 64 program headers"));
        }
        let size = match self.class {
            CLASS_32 => size_of::<ProgramHeader32>(),
            _ => size_of::<ProgramHeader64>(),
        };
        if usize::from(self.phentsize) != size {
            return Err(ElfError::Header("its program headers have the wrong size"));
        }
        let mut table = vec![0; size.saturating_mul(self.phnum.into())];
        source.read("the program header table", self.phoff, &mut table)?;
        let read = |entry| match self.class {
            CLASS_32 => ProgramHeader32::read_from_bytes(entry).map(ProgramHeader::from).ok(),
            _ => ProgramHeader64::read_from_bytes(entry).map(ProgramHeader::from).ok(),
        };
        Ok(table.chunks_exact(size).filter_map(read).collect())
    }
}

fn machine_name(machine: u16) -> String {
    match machine {
        MACHINE_386 => "i386 in a 64-bit file".into(),
        MACHINE_X86_64 => "x86-64 in a 32-bit file (x32)".into(),
        8 => "MIPS".into(),
        20 | 21 => "PowerPC".into(),
        22 => "s390".into(),
        40 => "32-bit ARM".into(),
        183 => "64-bit ARM".into(),
        243 => "RISC-V".into(),
        258 => "LoongArch".into(),
        other => format!("machine {other}"),
    }
}
