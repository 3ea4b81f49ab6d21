use std::io::Write;
use std::os::fd::AsFd;

use super::*;

fn ram(size: u64) -> Ram {
    Ram::new(&Layout::flat(size), Pages::Small).unwrap()
}

#[test]
fn a_range_must_lie_in_ram_whole() {
    let ram = ram(0x2000);
    assert!(ram.window(GuestAddress(0x1000), 0x1000).is_ok());
    for (start, len) in [(0x1000, 0x1001), (0x2000, 0), (0x2000, 1), (u64::MAX, 1), (0, u64::MAX), (1, u64::MAX)] {
        assert_eq!(ram.window(GuestAddress(start), len).err(), Some(OutOfRam { start: GuestAddress(start), len }));
    }
}

#[test]
fn ram_is_contiguous_on_the_host_but_not_for_the_guest() {
    let layout = Layout::around_hole((3 << 30) + 0x1000);
    let ram = Ram::new(&layout, Pages::Transparent).unwrap();
    assert!(ram.window(GuestAddress(0xbfff_f000), 0x1000).is_ok());
    assert!(ram.window(GuestAddress(0xbfff_f000), 0x1001).is_err());
    assert!(ram.window(GuestAddress(0xc000_0000), 1).is_err());
    ram.write(GuestAddress(0x1_0000_0ffc), b"high").unwrap();
    let mut back = [0; 4];
    ram.read(GuestAddress(0x1_0000_0ffc), &mut back).unwrap();
    assert_eq!(&back, b"high");
}

#[test]
fn large_ram_is_aligned_for_large_pages() {
    let ram = ram(64 << 20);
    assert_eq!(ram.regions()[0].window.host_address() % (2 << 20), 0);
}

#[test]
fn a_file_is_loaded_straight_into_ram() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"....kernel").unwrap();
    let ram = ram(0x1000);
    ram.load(GuestAddress(0x100), 6, file.as_fd(), 4).unwrap();
    let mut back = [0; 6];
    ram.read(GuestAddress(0x100), &mut back).unwrap();
    assert_eq!(&back, b"kernel");
    let short = ram.load(GuestAddress(0), 7, file.as_fd(), 4).unwrap_err();
    assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    let outside = ram.load(GuestAddress(0xffe), 6, file.as_fd(), 4).unwrap_err();
    assert_eq!(outside.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn device_memory_is_a_place_for_data_but_no_ram() {
    let at = GuestAddress(1 << 30);
    let device = |start, access| (Region { start, window: Mapping::anonymous(0x1000, Pages::Small).unwrap() }, access);
    let read_only = GuestAddress(2 << 30);
    let ram = ram(0x1000).with_extra_regions([device(at, Access::ReadWrite), device(read_only, Access::ReadOnly)]);
    assert!(ram.window(at, 16).is_err(), "no place for a ring");
    assert!(ram.write(at, b"no").is_err());
    assert_eq!((ram.size(), ram.regions().len()), (0x1000, 1));
    for (start, access, fits) in [
        (at, Access::ReadOnly, true),
        (at, Access::ReadWrite, true),
        (read_only, Access::ReadOnly, true),
        (read_only, Access::ReadWrite, false),
        (GuestAddress(at.0 + 0xff1), Access::ReadOnly, false),
    ] {
        assert_eq!(ram.find_data(start, 16, access).is_ok(), fits, "{start} {access:?}");
    }
}
