//! ELF kernels: which parts of the file go where in guest memory, and where to enter.
//!
//! ELF64 and ELF32 for x86, little endian, as far as a loader needs them (System V gABI chapters 4
//! and 5): the header, the program headers and the notes. `PT_LOAD` goes to `p_paddr`, since paging
//! is off or identical at entry. The note `XEN_ELFNOTE_PHYS32_ENTRY` (Xen public/elfnote.h) holds
//! the PVH entry point. Sections, symbols and relocations are not looked at.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod header;
mod note;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use illico_memory::{GuestAddress, Ram};

use self::header::{CLASS_32, Header, ProgramHeader, TYPE_SHARED};
use self::note::pvh_entry;
use super::Protocol;
use super::range::Range;
use crate::arch::boot::linux64::MAPPED_END;
use crate::arch::boot::places::{ACPI, BOOT_DATA};

const SEGMENT_LOAD: u32 = 1;
const SEGMENT_INTERPRETER: u32 = 3;
const SEGMENT_NOTE: u32 = 4;

/// Why an ELF file cannot be booted.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the variants and fields are")]
pub enum ElfError {
    #[error("asking for its size")]
    Size(#[source] io::Error),
    #[error("it is not a regular file")]
    NotAFile,
    /// The bytes could not be read.
    #[error("reading {what} of {len} bytes at offset {offset:#x}")]
    Read {
        what: &'static str,
        offset: u64,
        len: u64,
        #[source]
        source: io::Error,
    },
    #[error("truncated: {what} ends at byte {end}, the file has {size}")]
    Truncated { what: &'static str, end: u64, size: u64 },
    #[error("it is an ELF file for {0}, this machine is x86-64")]
    Machine(String),
    #[error("it is {0}, not a kernel")]
    NotAKernel(&'static str),
    #[error("it has no PVH note, and neither is it a 64-bit kernel for the boot protocol of Linux")]
    NoStart,
    #[error("it has no PVH note to be entered at; it takes the 64-bit boot protocol of Linux")]
    NoPvhNote,
    #[error("it has no 64-bit entry point; it takes PVH")]
    NoLinux64,
    #[error(
        "its segment {start:#x}..{end:#x} ends above 4 GiB, where the 64-bit boot protocol of Linux cannot enter it"
    )]
    Beyond { start: u64, end: u64 },
    #[error("its ELF header is broken: {0}")]
    Header(&'static str),
    #[error("its program header {index} is broken: {what}")]
    Segment { index: usize, what: &'static str },
    #[error("its segment {start:#x}..{end:#x} overlaps another one")]
    Overlap { start: u64, end: u64 },
    #[error("its segment {start:#x}..{end:#x} overlaps {what}, which the monitor needs for itself")]
    Reserved { start: u64, end: u64, what: &'static str },
    #[error("its segment {start:#x}..{end:#x} does not fit into {ram} MiB of memory; give it more")]
    OutOfRam { start: u64, end: u64, ram: u64 },
    #[error("its entry point {0:#x} is in none of its segments")]
    EntryOutside(u64),
    #[error("its PVH note is broken: {0}")]
    Note(&'static str),
    #[error("it has nothing to load")]
    Empty,
}

/// A part of the file that goes to guest memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where in the file its bytes begin.
    pub offset: u64,
    /// How many there are; the rest of `memory` is zero.
    pub filesz: u64,
    /// The guest range it takes.
    pub memory: Range,
}

/// A kernel that was checked on its own; whether it fits into a guest's RAM is seen by [`Elf::load`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// Its segments: none empty, no two overlapping.
    pub segments: Vec<Segment>,
    /// Where PVH enters it, inside of one of them.
    pub pvh: Option<u32>,
    /// Where the 64-bit boot protocol of Linux enters it, inside of one of them.
    pub linux64: Option<u64>,
}

/// Where a kernel is entered, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this address, by PVH.
    Pvh(u32),
    /// At this address, by the 64-bit boot protocol of Linux.
    Linux64(u64),
}

impl Elf {
    /// Reads and checks the headers and notes of a file.
    pub fn read(file: &File) -> Result<Self, ElfError> {
        let metadata = file.metadata().map_err(ElfError::Size)?;
        if !metadata.is_file() {
            return Err(ElfError::NotAFile);
        }
        Self::parse(file, metadata.len())
    }

    /// The same of a file of `size` bytes.
    fn parse(file: &File, size: u64) -> Result<Self, ElfError> {
        let source = Source { file, size };
        let header = Header::read(&source)?;
        let mut segments = Vec::new();
        let mut pvh = None;
        for (index, part) in header.program_headers(&source)?.into_iter().enumerate() {
            match part.kind {
                SEGMENT_LOAD if part.memsz > 0 => segments.push(segment(index, &part, size)?),
                SEGMENT_INTERPRETER => return Err(ElfError::NotAKernel(PROGRAM)),
                SEGMENT_NOTE => pvh = pvh.or(pvh_entry(&source, &part)?),
                _ => {}
            }
        }
        if segments.is_empty() {
            return Err(ElfError::Empty);
        }
        if pvh.is_none() && header.kind == TYPE_SHARED {
            return Err(ElfError::NotAKernel(SHARED));
        }
        if pvh.is_none() && header.class == CLASS_32 {
            return Err(ElfError::NoStart);
        }
        disjoint(&segments)?;
        let inside = |address| segments.iter().any(|segment: &Segment| segment.memory.contains(address));
        let linux64 = (header.class != CLASS_32 && inside(header.entry)).then_some(header.entry);
        match pvh {
            Some(entry) if !inside(entry.into()) => return Err(ElfError::EntryOutside(entry.into())),
            None if linux64.is_none() => return Err(ElfError::EntryOutside(header.entry)),
            _ => {}
        }
        Ok(Self { segments, pvh, linux64 })
    }

    /// Where to enter it, by the protocol that is wanted or else by PVH if it can.
    pub fn start(&self, wanted: Option<Protocol>) -> Result<Start, ElfError> {
        let pvh = self.pvh.map(Start::Pvh);
        let linux64 = self.linux64.map(Start::Linux64);
        let beyond = self.segments.iter().map(|segment| segment.memory).find(|range| range.end > MAPPED_END);
        let start = match wanted {
            None => pvh.or(linux64),
            Some(Protocol::Pvh) => pvh,
            Some(Protocol::Linux64) => linux64,
        };
        match (start, beyond) {
            (Some(Start::Linux64(_)), Some(Range { start, end })) => Err(ElfError::Beyond { start, end }),
            (Some(start), _) => Ok(start),
            (None, _) if wanted == Some(Protocol::Linux64) => Err(ElfError::NoLinux64),
            (None, _) => Err(ElfError::NoPvhNote),
        }
    }

    /// Reads the segments straight into guest memory. It is zero where nothing was written yet and
    /// no two segments overlap, so what a segment has no bytes for is zero already.
    pub fn load(&self, file: &File, ram: &Ram) -> Result<(), ElfError> {
        for segment in &self.segments {
            let Range { start, end } = segment.memory;
            for (what, range) in [("the boot data", BOOT_DATA), ("the ACPI tables", ACPI)] {
                if range.overlaps(segment.memory) {
                    return Err(ElfError::Reserved { start, end, what });
                }
            }
            ram.window(GuestAddress(start), end.saturating_sub(start)).map_err(|_| ElfError::OutOfRam {
                start,
                end,
                ram: ram.size() >> 20,
            })?;
        }
        for Segment { offset, filesz, memory } in &self.segments {
            let (offset, len) = (*offset, *filesz);
            ram.load(GuestAddress(memory.start), len, file.as_fd(), offset).map_err(|source| ElfError::Read {
                what: "a segment",
                offset,
                len,
                source,
            })?;
        }
        Ok(())
    }
}

const PROGRAM: &str = "a program for Linux user space";
const SHARED: &str = "a shared library or a position-independent program";

/// The file, and its size so that a range outside is told from a failing disk.
struct Source<'a> {
    file: &'a File,
    size: u64,
}

impl Source<'_> {
    fn read(&self, what: &'static str, offset: u64, out: &mut [u8]) -> Result<(), ElfError> {
        let len = out.len() as u64;
        let end = offset.saturating_add(len);
        if end > self.size {
            return Err(ElfError::Truncated { what, end, size: self.size });
        }
        let read = self.file.read_exact_at(out, offset);
        read.map_err(|source| ElfError::Read { what, offset, len, source })
    }
}

fn segment(index: usize, part: &ProgramHeader, size: u64) -> Result<Segment, ElfError> {
    let broken = |what| ElfError::Segment { index, what };
    if part.filesz > part.memsz {
        return Err(broken("it has more bytes in the file than in memory"));
    }
    let end = part.offset.checked_add(part.filesz).ok_or(broken("it wraps around in the file"))?;
    if end > size {
        return Err(ElfError::Truncated { what: "a segment", end, size });
    }
    let end = part.paddr.checked_add(part.memsz).ok_or(broken("it wraps around in memory"))?;
    Ok(Segment { offset: part.offset, filesz: part.filesz, memory: Range { start: part.paddr, end } })
}

fn disjoint(segments: &[Segment]) -> Result<(), ElfError> {
    let mut sorted: Vec<Range> = segments.iter().map(|segment| segment.memory).collect();
    sorted.sort_by_key(|range| range.start);
    for (one, two) in sorted.iter().zip(sorted.iter().skip(1)) {
        if one.overlaps(*two) {
            return Err(ElfError::Overlap { start: two.start, end: two.end });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "elf_test.rs"]
mod tests;

#[cfg(test)]
#[path = "elf_oracle_test.rs"]
mod oracle;
