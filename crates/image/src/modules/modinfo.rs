//! What a module says of itself: the `.modinfo` section of its ELF file, `name=value` strings that end with NUL.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// Where a 64-bit ELF header has the section table's offset, an entry's size, their number, and that of the names.
const TABLE: usize = 0x28;
const ENTRY_SIZE: usize = 0x3a;
const ENTRIES: usize = 0x3c;
const NAMES: usize = 0x3e;

/// The names of the modules that this one needs. None if it is no module.
pub(super) fn depends(module: &[u8]) -> Vec<String> {
    let info = section(module, b".modinfo").unwrap_or_default();
    let values = info.split(|&byte| byte == 0).filter_map(|field| field.strip_prefix(b"depends="));
    let names = values.flat_map(|value| value.split(|&byte| byte == b','));
    names.filter(|name| !name.is_empty()).map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

fn section<'a>(elf: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    elf.strip_prefix(b"\x7fELF\x02\x01")?;
    let table = usize::try_from(u64_at(elf, TABLE)?).ok()?;
    let (size, count) = (u16_at(elf, ENTRY_SIZE)?, u16_at(elf, ENTRIES)?);
    let header = |index: u16| elf.get(table.checked_add(usize::from(size).checked_mul(index.into())?)?..);
    let content = |header: &[u8]| {
        let start = usize::try_from(u64_at(header, 0x18)?).ok()?;
        let length = usize::try_from(u64_at(header, 0x20)?).ok()?;
        elf.get(start..start.checked_add(length)?)
    };
    let names = content(header(u16_at(elf, NAMES)?)?)?;
    (0..count).filter_map(header).find_map(|header| {
        let name = names.get(usize::try_from(u32_at(header, 0)?).ok()?..)?;
        (name.split(|&byte| byte == 0).next() == Some(wanted)).then(|| content(header))?
    })
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

#[cfg(test)]
#[path = "modinfo_test.rs"]
pub(crate) mod tests;
