use super::super::places::{BOOT_DATA, memory_map};
use super::*;
use crate::arch::boot::{BOOT_CS, BOOT_DS, BOOT_TSS};
use crate::boot::testkit::{bytes_at, ram};

const RSDP: GuestAddress = GuestAddress(0xe_0000);

fn number(ram: &Ram, at: u64, len: usize) -> u64 {
    bytes_at(ram, at, len).iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[test]
fn the_zero_page_says_where_everything_is() {
    let ram = ram(5 << 10);
    let initrd = Range { start: 0x7fff_e000, end: 0x7fff_e123 };
    write(&ram, 0x100_0000, &memory_map(&ram, None), Some(initrd), RSDP).unwrap();
    let field = |offset, len| number(&ram, ZERO_PAGE.0 + offset, len);
    assert_eq!((field(0x1fe, 2), bytes_at(&ram, ZERO_PAGE.0 + 0x202, 4).as_slice()), (0xaa55, b"HdrS".as_slice()));
    assert_eq!((field(0x1ef, 1), field(0x210, 1), field(0x211, 1)), (0, 0xff, 1));
    assert_eq!((field(0x218, 4), field(0x21c, 4)), (0x7fff_e000, 0x123));
    assert_eq!((field(0x228, 4), field(0x070, 8)), (COMMAND_LINE.0, RSDP.0));
    assert_eq!(field(0x1e8, 1), 4);
    let entry = |n: u64| (field(0x2d0 + n * 20, 8), field(0x2d0 + n * 20 + 8, 8), field(0x2d0 + n * 20 + 16, 4));
    assert_eq!([entry(0), entry(1)], [(0, 0xa_0000, 1), (0xe_0000, 0x2_0000, 3)]);
    assert_eq!([entry(2), entry(3)], [(1 << 20, 0xbff0_0000, 1), (4 << 30, 2 << 30, 1)]);
}

/// Walks the tables as a CPU does.
#[test]
fn every_low_address_is_mapped_to_itself() {
    let ram = ram(16);
    let entry = write(&ram, 0x100_0000, &memory_map(&ram, None), None, RSDP).unwrap();
    let Entry::Linux64 { page_tables, .. } = entry else { panic!("{entry:?}") };
    let walk = |address: u64| {
        let mut table = page_tables.0;
        for level in [39, 30] {
            let entry = number(&ram, table + (address >> level & 511) * 8, 8);
            if entry & TABLE != TABLE {
                return None;
            }
            table = entry & !0xfff;
            assert!(BOOT_DATA.contains(table));
        }
        let page = number(&ram, table + (address >> 21 & 511) * 8, 8);
        (page & LARGE == LARGE).then_some(page & !0x1f_ffff | address & 0x1f_ffff)
    };
    for address in [0, 0x9_2000, 0x100_0000, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0xbfff_ffff, 0xffff_ffff] {
        assert_eq!(walk(address), Some(address));
    }
    assert_eq!((walk(MAPPED_END), walk(1 << 39)), (None, None));
}

#[test]
fn the_gdt_has_the_segments_at_their_selectors() {
    let ram = ram(16);
    let entry = write(&ram, 0x100_0000, &[], None, RSDP).unwrap();
    let Entry::Linux64 { gdt, gdt_limit, .. } = entry else { panic!("{entry:?}") };
    assert_eq!(gdt_limit, 6 * 8 - 1);
    let descriptor = |selector: u16| number(&ram, gdt.0 + u64::from(selector), 8);
    let kind = |selector| descriptor(selector) >> 40 & 0x9f;
    assert_eq!((kind(BOOT_CS), kind(BOOT_DS), kind(BOOT_TSS)), (0x9b, 0x93, 0x8b));
    assert_eq!((descriptor(BOOT_CS) >> 53 & 1, descriptor(BOOT_DS) >> 53 & 1), (1, 0));
    assert_eq!(descriptor(0), 0);
}
