use illico_memory::{Layout, Pages};

use super::super::places::memory_map;
use super::*;

fn u32_at(ram: &Ram, at: u64) -> u32 {
    let mut bytes = [0; 4];
    ram.read(GuestAddress(at), &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn u64_at(ram: &Ram, at: u64) -> u64 {
    u64::from(u32_at(ram, at)) | u64::from(u32_at(ram, at + 4)) << 32
}

/// The offsets are those of the specification, written down a second time.
#[test]
fn the_start_info_has_version_1_with_map_module_and_rsdp() {
    let ram = Ram::new(&Layout::flat(16 << 20), Pages::Small).unwrap();
    let map = memory_map(&ram, None);
    let initrd = Range { start: 0xfff000, end: 0xfff123 };
    let at = write_start_info(&ram, &map, Some(initrd), GuestAddress(0xe0000)).unwrap().0;
    assert_eq!(u32_at(&ram, at), 0x336ec578);
    assert_eq!(u32_at(&ram, at + 4), 1);
    assert_eq!(u32_at(&ram, at + 12), 1);
    let module = u64_at(&ram, at + 16);
    assert_eq!((u64_at(&ram, module), u64_at(&ram, module + 8), u64_at(&ram, module + 16)), (0xfff000, 0x123, 0));
    assert_eq!(u64_at(&ram, at + 24), COMMAND_LINE.0);
    assert_eq!(u64_at(&ram, at + 32), 0xe0000);
    let entries = u64_at(&ram, at + 40);
    assert_eq!(u32_at(&ram, at + 48), 3);
    let entry = |n: u64| {
        let at = entries + n * 24;
        (u64_at(&ram, at), u64_at(&ram, at + 8), u32_at(&ram, at + 16))
    };
    assert_eq!([entry(0), entry(1), entry(2)], [(0, 0xa0000, 1), (0xe0000, 0x20000, 3), (1 << 20, 15 << 20, 1)]);
}

#[test]
fn without_initrd_there_is_no_module() {
    let ram = Ram::new(&Layout::flat(16 << 20), Pages::Small).unwrap();
    let at = write_start_info(&ram, &memory_map(&ram, None), None, GuestAddress(0xe0000)).unwrap().0;
    assert_eq!((u32_at(&ram, at + 12), u64_at(&ram, at + 16)), (0, 0));
}
