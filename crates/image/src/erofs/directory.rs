//! Directories: blocks of entries in the order of their bytes, `.` and `..` among them (struct erofs_dirent). Each block
//! has its entries first and their names behind, so that the kernel can search it by halves.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::BLOCK;

/// Size of an entry without its name.
const DIRENT: u64 = 12;

/// An entry that knows where its inode is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dirent<'a> {
    pub(super) name: &'a [u8],
    pub(super) nid: u64,
    pub(super) file_type: u8,
}

/// The size of a directory with these names, sorted and with `.` and `..`.
pub(super) fn size<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (full, last) = names.fold((0_u64, 0), |(full, used), name| {
        let needed = DIRENT.saturating_add(name.len() as u64);
        match used {
            0 => (full, needed),
            used if needed.saturating_add(used) > BLOCK => (full.saturating_add(1), needed),
            used => (full, needed.saturating_add(used)),
        }
    });
    full.saturating_mul(BLOCK).saturating_add(last)
}

/// The directory's bytes; as many as [`size`] says.
pub(super) fn bytes<'a>(entries: impl Iterator<Item = Dirent<'a>>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut block: Vec<Dirent<'a>> = Vec::new();
    let mut used = 0_u64;
    for entry in entries {
        let needed = DIRENT.saturating_add(entry.name.len() as u64);
        if used.saturating_add(needed) > BLOCK {
            one_block(&mut all, &block);
            all.resize(all.len().next_multiple_of(BLOCK as usize), 0);
            block.clear();
            used = 0;
        }
        used = used.saturating_add(needed);
        block.push(entry);
    }
    one_block(&mut all, &block);
    all
}

fn one_block(all: &mut Vec<u8>, entries: &[Dirent<'_>]) {
    let mut name_offset = (entries.len() as u64).saturating_mul(DIRENT);
    for entry in entries {
        all.extend(entry.nid.to_le_bytes());
        all.extend((name_offset as u16).to_le_bytes());
        all.extend([entry.file_type, 0]);
        name_offset = name_offset.saturating_add(entry.name.len() as u64);
    }
    for entry in entries {
        all.extend(entry.name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_directory_has_the_size_that_was_announced(lengths in proptest::collection::vec(1_usize..=255, 1..200)) {
            let names: Vec<String> = lengths.into_iter().map(|len| "x".repeat(len)).collect();
            let entries = || names.iter().map(|name| Dirent { name: name.as_bytes(), nid: 7, file_type: 1 });
            prop_assert_eq!(bytes(entries()).len() as u64, size(entries().map(|entry| entry.name)));
        }
    }
}
