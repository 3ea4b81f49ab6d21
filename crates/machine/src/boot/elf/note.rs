//! The notes of an ELF file, among which a PVH kernel names its entry point (gABI chapter 5,
//! "Note Section"; Xen public/elfnote.h, `XEN_ELFNOTE_PHYS32_ENTRY`).

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zerocopy::FromBytes;
use zerocopy::little_endian::{U32, U64};

use super::header::ProgramHeader;
use super::{ElfError, PROGRAM, Source};

/// More bytes of notes than any kernel has; Linux has a few hundred.
const MAX_NOTE_BYTES: u64 = 64 << 10;
/// `XEN_ELFNOTE_PHYS32_ENTRY`, in the name space "Xen".
const NOTE_PVH_ENTRY: u32 = 18;
/// `NT_GNU_ABI_TAG`, in the name space "GNU": only programs for user space carry it.
const NOTE_ABI_TAG: u32 = 1;

#[derive(FromBytes)]
#[repr(C)]
struct NoteHeader {
    namesz: U32,
    descsz: U32,
    kind: U32,
}

/// Looks for the PVH entry among the notes of one `PT_NOTE` segment.
pub(super) fn pvh_entry(source: &Source<'_>, part: &ProgramHeader) -> Result<Option<u32>, ElfError> {
    if part.filesz > MAX_NOTE_BYTES {
        return Err(ElfError::Header("it has more than 64 KiB of notes"));
    }
    let mut notes = vec![0; part.filesz as usize];
    source.read("the notes", part.offset, &mut notes)?;
    // gABI: names and descriptors are padded to 4 bytes; GNU pads to 8 where the segment says 8.
    let align = if part.align == 8 { 8 } else { 4 };
    let mut rest = notes.as_slice();
    while let Ok((header, _)) = NoteHeader::read_from_prefix(rest) {
        let broken = ElfError::Note("its length passes the end of the notes");
        let name_end = size_of::<NoteHeader>().saturating_add(header.namesz.get() as usize);
        let name = rest.get(size_of::<NoteHeader>()..name_end);
        let desc_start = name_end.checked_next_multiple_of(align).unwrap_or(usize::MAX);
        let desc_end = desc_start.saturating_add(header.descsz.get() as usize);
        let Some((name, desc)) = name.zip(rest.get(desc_start..desc_end)) else { return Err(broken) };
        match (name, header.kind.get()) {
            (b"Xen\0", NOTE_PVH_ENTRY) => return entry_of(desc).map(Some),
            (b"GNU\0", NOTE_ABI_TAG) => return Err(ElfError::NotAKernel(PROGRAM)),
            _ => {}
        }
        let next = desc_end.checked_next_multiple_of(align).unwrap_or(usize::MAX);
        rest = rest.get(next..).unwrap_or_default();
    }
    Ok(None)
}

/// The entry point as a 4-byte descriptor, or an 8-byte one as 64-bit kernels write it.
fn entry_of(desc: &[u8]) -> Result<u32, ElfError> {
    if let Ok(entry) = U32::read_from_bytes(desc) {
        return Ok(entry.get());
    }
    let entry = U64::read_from_bytes(desc).map_err(|_| ElfError::Note("its entry point has not 4 or 8 bytes"))?;
    u32::try_from(entry.get()).map_err(|_| ElfError::Note("its entry point is above 4 GiB"))
}
