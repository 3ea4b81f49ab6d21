#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

/// The least ELF file that says this of itself.
pub(crate) fn module(info: &[u8]) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let (info_at, names_at) = (64, 64 + info.len());
    let table = names_at + names.len();
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    elf[TABLE..TABLE + 8].copy_from_slice(&(table as u64).to_le_bytes());
    elf[ENTRY_SIZE] = 64;
    elf[ENTRIES] = 3;
    elf[NAMES] = 2;
    elf.extend(info);
    elf.extend(names);
    for (name, at, length) in [(0_u32, 0, 0), (1, info_at, info.len()), (10, names_at, names.len())] {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
        header[0x20..0x28].copy_from_slice(&(length as u64).to_le_bytes());
        elf.extend(header);
    }
    elf
}

#[test]
fn a_module_names_what_it_needs() {
    let module = module(b"license=GPL\0depends=vsock,virtio_ring\0name=x\0");
    assert_eq!(depends(&module), ["vsock", "virtio_ring"]);
}

#[test]
fn who_needs_nothing_says_so() {
    assert!(depends(&module(b"depends=\0")).is_empty());
    assert!(depends(b"\x7fELF").is_empty());
}

proptest! {
    #[test]
    fn no_bytes_break_it(at in 0_usize..300, value: [u8; 4], cut in 0_usize..300) {
        let mut module = module(b"depends=a\0");
        let end = (at + 4).min(module.len());
        let start = at.min(end);
        module[start..end].copy_from_slice(&value[..end - start]);
        module.truncate(module.len().saturating_sub(cut));
        let _ = depends(&module);
    }
}
