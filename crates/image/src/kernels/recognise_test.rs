#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::{Seek, Write};

use super::*;

/// The least that passes for a bzImage of this release.
pub(in crate::kernels) fn bzimage(release: &str) -> Vec<u8> {
    let mut bytes = vec![0; 0x300];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    bytes.extend(format!("{release} (someone@somewhere) #1 SMP\0").bytes());
    bytes
}

fn told(bytes: &[u8]) -> Option<String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    release(&file).unwrap()
}

#[test]
fn a_bzimage_says_its_release_in_its_header() {
    assert_eq!(told(&bzimage("6.12.9-cloud-amd64")).as_deref(), Some("6.12.9-cloud-amd64"));
    let mut astray = bzimage("6.12");
    astray[0x20e..0x210].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(told(&astray), None);
}

#[test]
fn an_elf_says_it_in_its_banner_wherever_that_is() {
    for offset in [100, (1 << 20) + MAX_SETUP as usize - 8, 3 << 20] {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        elf[18] = 62;
        elf.extend(b"Linux version %s");
        elf.resize(offset, 0);
        elf.extend(b"Linux Linux version Linux version 6.1.0 (someone)");
        assert_eq!(told(&elf).as_deref(), Some("6.1.0"), "at {offset}");
    }
}

#[test]
fn other_files_are_no_kernels() {
    assert_eq!(told(b""), None);
    assert_eq!(told(b"Linux version 6.1.0 (someone)"), None);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    elf.extend(b"Linux version 6.1.0 (someone)");
    assert_eq!(told(&elf), None, "for another machine");
}
