use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;
use crate::{Layout, Pages};

fn ram() -> Ram {
    Ram::new(&Layout::flat(0x1000), Pages::Small).unwrap()
}

/// A list over `ranges`, and the guest addresses of its bytes in order: the oracle.
fn list(ram: &Ram, ranges: &[(u64, u32)]) -> (Buffers, Vec<u64>) {
    let mut buffers = Buffers::new(ram.clone());
    let mut addresses = Vec::new();
    for &(start, len) in ranges {
        buffers.push(GuestAddress(start), len, Access::ReadWrite).unwrap();
        addresses.extend(start..start + u64::from(len));
    }
    (buffers, addresses)
}

fn bytes_of(buffers: &Buffers) -> Vec<u8> {
    let mut out = vec![0; buffers.len()];
    buffers.copy_to(0, &mut out).unwrap();
    out
}

#[test]
fn a_range_outside_of_ram_is_refused_and_leaves_the_list_as_it_was() {
    let ram = ram();
    let (mut buffers, _) = list(&ram, &[(0, 16)]);
    assert!(buffers.push(GuestAddress(0xfff), 2, Access::ReadWrite).is_err());
    assert!(buffers.push(GuestAddress(u64::MAX), u32::MAX, Access::ReadWrite).is_err());
    assert_eq!(buffers.len(), 16);
}

#[test]
fn an_access_past_the_end_copies_nothing() {
    let (buffers, _) = list(&ram(), &[(0, 4), (8, 4)]);
    let mut out = [7; 3];
    assert_eq!(buffers.copy_to(6, &mut out), Err(Short { offset: 6, wanted: 3, len: 8 }));
    assert_eq!(out, [7; 3]);
    assert!(buffers.copy_from(usize::MAX, b"ab").is_err());
}

#[test]
fn a_file_is_read_and_written_in_place() {
    let ram = ram();
    let (buffers, _) = list(&ram, &[(0x100, 3), (0x200, 4)]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"..gateau").unwrap();
    assert_eq!(buffers.read_from(file.as_fd(), Some(2)).unwrap(), 6);
    assert_eq!(bytes_of(&buffers), b"gateau\0");
    assert_eq!(buffers.write_to(file.as_fd(), Some(0)).unwrap(), 7);
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "gateau\0u");
}

#[test]
fn a_fill_touches_what_is_left_of_the_list_and_nothing_else() {
    let ram = ram();
    let (mut buffers, _) = list(&ram, &[(0x10, 4), (0x18, 2)]);
    buffers.advance(3).unwrap();
    buffers.fill(0xee);
    let mut around = [0; 12];
    ram.read(GuestAddress(0x10), &mut around).unwrap();
    assert_eq!(around, [0, 0, 0, 0xee, 0, 0, 0, 0, 0xee, 0xee, 0, 0]);
}

#[test]
fn a_stable_write_is_in_the_file() {
    let ram = ram();
    ram.write(GuestAddress(0), b"brioche").unwrap();
    let (source, _) = list(&ram, &[(0, 3), (3, 4)]);
    let file = tempfile::tempfile().unwrap();
    assert_eq!(source.write_stable(file.as_fd(), 9).unwrap(), 7);
    let mut bytes = [0; 7];
    file.read_exact_at(&mut bytes, 9).unwrap();
    assert_eq!(&bytes, b"brioche");
}

#[test]
fn a_datagram_that_fits_is_told_from_one_that_was_cut() {
    let ram = ram();
    let (mut buffers, _) = list(&ram, &[(0x100, 3), (0x200, 4)]);
    let (host, guest) = std::os::unix::net::UnixDatagram::pair().unwrap();
    for datagram in ["gateau", "gateaux", "gateaux!", "gateaux au chocolat"] {
        host.send(datagram.as_bytes()).unwrap();
    }
    let mut read = || buffers.read_datagram(guest.as_fd()).unwrap();
    assert_eq!([read(), read(), read(), read()], [Some(6), Some(7), None, None]);
    assert_eq!((bytes_of(&buffers), buffers.ranges()), (b"gateaux".to_vec(), 2));
}

#[test]
fn a_list_goes_on_behind_what_was_consumed_and_stays_as_small_as_it_is() {
    let ram = ram();
    let mut list_of_all = Buffers::new(ram.clone());
    for n in 0..1000_u64 {
        ram.write(GuestAddress(n), &[n as u8]).unwrap();
        let (one, _) = list(&ram, &[(n, 1)]);
        list_of_all.append(&one);
        if n > 0 {
            list_of_all.advance(1).unwrap();
        }
        assert_eq!((bytes_of(&list_of_all), one.len()), (vec![n as u8], 1));
    }
    assert!(list_of_all.ranges.capacity() < 16, "{}", list_of_all.ranges.capacity());
}

#[test]
#[should_panic(expected = "different RAM")]
fn a_list_over_other_ram_is_not_appended() {
    let (mut here, _) = list(&ram(), &[(0, 1)]);
    here.append(&list(&ram(), &[(0, 1)]).0);
}

fn ranges() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((0_u64..0xf00, 0_u32..64), 0..8)
}

proptest! {
    #[test]
    fn a_list_is_the_concatenation_of_its_ranges(ranges in ranges(), cut in 0_usize..256, skip in 0_usize..256) {
        let ram = ram();
        ram.write(GuestAddress(0), &(0..0x1000).map(|n| (n % 251) as u8).collect::<Vec<_>>()).unwrap();
        let (mut buffers, mut addresses) = list(&ram, &ranges);
        let expect = |addresses: &[u64]| addresses.iter().map(|at| (at % 251) as u8).collect::<Vec<_>>();
        prop_assert_eq!(bytes_of(&buffers), expect(&addresses));

        let mut tail = Buffers::new(ram);
        let cut_ok = buffers.split_off(cut, &mut tail).is_ok();
        prop_assert_eq!(cut_ok, cut <= addresses.len());
        let tail_addresses = if cut_ok { addresses.split_off(cut) } else { Vec::new() };
        prop_assert_eq!(bytes_of(&buffers), expect(&addresses));
        prop_assert_eq!(bytes_of(&tail), expect(&tail_addresses));

        let skipped = buffers.advance(skip).is_ok();
        prop_assert_eq!(skipped, skip <= addresses.len());
        let rest = if skipped { &addresses[skip..] } else { &addresses[..] };
        prop_assert_eq!(bytes_of(&buffers), expect(rest));
    }
}

#[test]
#[should_panic(expected = "other RAM")]
fn a_list_cannot_be_split_into_one_that_keeps_other_memory_alive() {
    let (mut buffers, _) = list(&ram(), &[(0, 16)]);
    let _ = buffers.split_off(8, &mut Buffers::new(ram()));
}

#[test]
fn a_part_is_filled_from_a_stream_and_what_follows_goes_elsewhere() {
    let ram = ram();
    for (offset, len) in [(0, 10), (0, 7), (3, 7), (2, 5), (4, 0), (9, 1)] {
        let (mut buffers, _) = list(&ram, &[(0x100, 4), (0x200, 3), (0x300, 3)]);
        buffers.fill(0xee);
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, &(1..=len as u8 + 2).collect::<Vec<_>>()).unwrap();
        let mut beyond = [0; 2];
        assert_eq!(buffers.read_part(reader.as_fd(), offset, len, &mut beyond).unwrap(), len + 2);
        let mut expected = vec![0xee; 10];
        expected[offset..offset + len].copy_from_slice(&(1..=len as u8).collect::<Vec<_>>());
        assert_eq!((bytes_of(&buffers), beyond), (expected, [len as u8 + 1, len as u8 + 2]));
        assert!(buffers.read_part(reader.as_fd(), 4, 7, &mut []).is_err());
        assert!(buffers.read_part(reader.as_fd(), usize::MAX, 2, &mut []).is_err());
    }
}

#[test]
fn a_list_is_written_behind_other_bytes_and_from_an_offset_on() {
    let ram = ram();
    for offset in 0..=10 {
        let (mut buffers, _) = list(&ram, &[(0x100, 4), (0x200, 3), (0x300, 3)]);
        buffers.copy_from(0, b"0123456789").unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert_eq!(buffers.write_behind(writer.as_fd(), b"head", offset).unwrap(), 14 - offset);
        drop(writer);
        let mut all = String::new();
        std::io::Read::read_to_string(&mut reader, &mut all).unwrap();
        assert_eq!(all, format!("head{}", &"0123456789"[offset..]));
        assert_eq!(bytes_of(&buffers), b"0123456789");
    }
}
