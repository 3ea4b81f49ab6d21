//! A PVH ELF64: its loadable segments and the entry point from the note `XEN_ELFNOTE_PHYS32_ENTRY`. The files are our
//! own, so what does not fit is an error without detail.

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PHYS32_ENTRY: u32 = 18;

/// A piece of the file and where in guest memory it belongs; what it lacks to its size there is zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment<'a> {
    pub address: u64,
    pub bytes: &'a [u8],
    pub size: u64,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image<'a> {
    pub entry: u32,
    pub segments: Vec<Segment<'a>>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// The value of the PVH note in a note segment.
fn entry(mut notes: &[u8]) -> Option<u32> {
    loop {
        let name_size = u32_at(notes, 0)? as usize;
        let value_size = u32_at(notes, 4)? as usize;
        let value = 12 + name_size.next_multiple_of(4);
        if u32_at(notes, 8)? == PHYS32_ENTRY && notes.get(12..12 + name_size)? == b"Xen\0" {
            return u32_at(notes, value);
        }
        notes = notes.get(value + value_size.next_multiple_of(4)..)?;
    }
}

/// Takes an ELF apart; `None` if it is not an ELF64 with the PVH note.
#[must_use]
pub fn parse(file: &[u8]) -> Option<Image<'_>> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(u64_at(file, 32)?).ok()?;
    let size = usize::from(u16_at(file, 54)?);
    let count = usize::from(u16_at(file, 56)?);
    let (mut pvh, mut segments) = (None, Vec::new());
    for index in 0..count {
        let header = file.get(table + index * size..)?;
        let offset = usize::try_from(u64_at(header, 8)?).ok()?;
        let length = usize::try_from(u64_at(header, 32)?).ok()?;
        let bytes = file.get(offset..offset.checked_add(length)?)?;
        match u32_at(header, 0)? {
            PT_LOAD => segments.push(Segment { address: u64_at(header, 24)?, bytes, size: u64_at(header, 40)? }),
            PT_NOTE => pvh = entry(bytes).or(pvh),
            _ => {}
        }
    }
    Some(Image { entry: pvh?, segments })
}

#[cfg(test)]
#[path = "elf_test.rs"]
mod tests;
