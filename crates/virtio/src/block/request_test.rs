#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;
use crate::queue::Queue;
use crate::testkit::{FakeDriver, Part, ram};

const DISK: Extent = Extent { sectors: 100, readonly: false };
const READONLY_DISK: Extent = Extent { sectors: 100, readonly: true };

/// What comes out of a request with these parts, and how many bytes of data it has left to read and
/// to write.
fn parse(extent: Extent, parts: &[Part<'_>]) -> (Result<Request, Refusal>, usize, usize) {
    let ram = ram(8 << 20);
    let mut driver = FakeDriver::new(&ram, 0, 64, 0);
    let mut queue: Queue = driver.queue();
    driver.add(parts).unwrap();
    let mut chain = queue.pop().unwrap().unwrap();
    let mut status = Buffers::new(ram);
    let request = Request::parse(&mut chain, &mut status, extent);
    let (readable, writable) = (chain.readable.len(), chain.writable.len());
    assert_eq!(status.len(), usize::from(request != Err(Refusal::NoStatus)));
    queue.complete(chain, 0);
    (request, readable, writable)
}

fn header(kind: u32, sector: u64) -> Vec<u8> {
    Header { kind: kind.into(), reserved: 0.into(), sector: sector.into() }.as_bytes().to_vec()
}

fn range(sector: u64, sectors: u32, flags: u32) -> Vec<u8> {
    RawSegment { sector: sector.into(), sectors: sectors.into(), flags: flags.into() }.as_bytes().to_vec()
}

fn status_of(extent: Extent, parts: &[Part<'_>]) -> Option<Status> {
    match parse(extent, parts).0 {
        Ok(_) => Some(Status::Ok),
        Err(Refusal::With { status, .. }) => Some(status),
        Err(Refusal::NoStatus) => None,
    }
}

#[test]
fn a_read_is_what_lies_between_header_and_status() {
    let header = header(T_IN, 7);
    let parts = [Part::Readable(&header), Part::Writable(512), Part::Writable(1024), Part::Writable(1)];
    assert_eq!(parse(DISK, &parts), (Ok(Request::Read { position: 7 * 512 }), 0, 1536));
}

#[test]
fn the_driver_may_cut_a_request_where_it_likes() {
    let mut bytes = header(T_OUT, 3);
    bytes.extend([0x5a; 512]);
    let (head, tail) = bytes.split_at(9);
    let parts = [Part::Readable(head), Part::Readable(tail), Part::Writable(1)];
    assert_eq!(parse(DISK, &parts), (Ok(Request::Write { position: 3 * 512 }), 512, 0));
    // The status byte at the end of the last data buffer.
    let parts = [Part::Readable(&header(T_IN, 3)), Part::Writable(513)];
    assert_eq!(parse(DISK, &parts), (Ok(Request::Read { position: 3 * 512 }), 0, 512));
}

#[test]
fn a_range_must_be_on_the_disk_whatever_its_numbers_add_up_to() {
    for (sector, len, expected) in [
        (99, 512, Status::Ok),
        (100, 0, Status::Ok),
        (99, 1024, Status::IoError),
        (100, 512, Status::IoError),
        (u64::MAX, 512, Status::IoError),
        (u64::MAX / 512, 512, Status::IoError),
        (0, 100, Status::IoError),
        (0, 513, Status::IoError),
    ] {
        let read = [Part::Readable(&header(T_IN, sector)), Part::Writable(len), Part::Writable(1)];
        assert_eq!(status_of(DISK, &read), Some(expected), "read of {len} at {sector}");
        let data = vec![0; len];
        let write = [Part::Readable(&header(T_OUT, sector)), Part::Readable(&data), Part::Writable(1)];
        assert_eq!(status_of(DISK, &write), Some(expected), "write of {len} at {sector}");
    }
}

#[test]
fn a_read_only_disk_refuses_everything_that_changes_it() {
    let one = range(0, 1, 0);
    for (kind, data) in [(T_OUT, &[0; 512][..]), (T_DISCARD, &one), (T_WRITE_ZEROES, &one)] {
        let parts = [Part::Readable(&header(kind, 0)), Part::Readable(data), Part::Writable(1)];
        assert_eq!(status_of(DISK, &parts), Some(Status::Ok), "type {kind}");
        assert_eq!(status_of(READONLY_DISK, &parts), Some(Status::IoError), "type {kind}");
    }
    for kind in [T_IN, T_FLUSH, T_GET_ID] {
        assert_eq!(status_of(READONLY_DISK, &[Part::Readable(&header(kind, 0)), Part::Writable(1)]), Some(Status::Ok));
    }
}

#[test]
fn what_has_no_status_byte_is_no_request_and_what_has_no_header_fails() {
    assert_eq!(status_of(DISK, &[Part::Readable(&header(T_FLUSH, 0))]), None);
    assert_eq!(status_of(DISK, &[Part::Readable(&header(T_FLUSH, 0)), Part::Writable(0)]), None);
    assert_eq!(status_of(DISK, &[Part::Writable(1)]), Some(Status::IoError));
    assert_eq!(status_of(DISK, &[Part::Readable(&[0; 15]), Part::Writable(1)]), Some(Status::IoError));
}

#[test]
fn unknown_types_are_unsupported() {
    for kind in [2, 3, 10, 12, 14, 15, 24, u32::MAX] {
        let parts = [Part::Readable(&header(kind, 0)), Part::Writable(1)];
        assert_eq!(status_of(DISK, &parts), Some(Status::Unsupported), "type {kind}");
    }
}

#[test]
fn ranges_come_out_in_order_and_as_bytes() {
    let ranges = [range(1, 2, 0), range(90, 10, 1), range(0, 0, 0)].concat();
    let parts = [Part::Readable(&header(T_WRITE_ZEROES, 0)), Part::Readable(&ranges), Part::Writable(1)];
    let Ok(Request::WriteZeroes(segments)) = parse(DISK, &parts).0 else { panic!("not write zeroes") };
    let expected = [
        Segment { position: 512, len: 1024, unmap: false },
        Segment { position: 90 * 512, len: 10 * 512, unmap: true },
        Segment { position: 0, len: 0, unmap: false },
    ];
    assert_eq!(segments.collect::<Vec<_>>(), expected);
}

#[test]
fn a_range_that_breaks_a_rule_refuses_the_request() {
    let huge = Extent { sectors: u64::MAX / 512, readonly: false };
    let many = range(0, 1, 0).repeat(MAX_SEGMENTS);
    let too_many = range(0, 1, 0).repeat(MAX_SEGMENTS + 1);
    for (kind, ranges, expected) in [
        (T_DISCARD, range(0, MAX_DISCARD_SECTORS, 0), Status::Ok),
        (T_DISCARD, range(0, MAX_DISCARD_SECTORS + 1, 0), Status::IoError),
        (T_WRITE_ZEROES, range(0, MAX_ZEROES_SECTORS, 0), Status::Ok),
        (T_WRITE_ZEROES, range(0, MAX_ZEROES_SECTORS + 1, 0), Status::IoError),
        (T_DISCARD, range(u64::MAX, 2, 0), Status::IoError),
        (T_DISCARD, range(0, 1, 1), Status::Unsupported),
        (T_DISCARD, range(0, 1, 2), Status::Unsupported),
        (T_WRITE_ZEROES, range(0, 1, 1), Status::Ok),
        (T_WRITE_ZEROES, range(0, 1, 2), Status::Unsupported),
        (T_DISCARD, Vec::new(), Status::IoError),
        (T_DISCARD, vec![0; 17], Status::IoError),
        (T_DISCARD, many, Status::Ok),
        (T_DISCARD, too_many, Status::IoError),
    ] {
        let parts = [Part::Readable(&header(kind, 0)), Part::Readable(&ranges), Part::Writable(1)];
        assert_eq!(status_of(huge, &parts), Some(expected), "type {kind}, ranges {ranges:x?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_name_anything_outside_of_the_disk(
        kind in prop_oneof![Just(T_IN), Just(T_OUT), Just(T_DISCARD), Just(T_WRITE_ZEROES), any::<u32>()],
        sector in prop_oneof![0_u64..120, any::<u64>()],
        data in prop::collection::vec(any::<u8>(), 0..1100),
        room in 0_usize..1100,
    ) {
        let parts = [Part::Readable(&header(kind, sector)), Part::Readable(&data), Part::Writable(room)];
        let end = DISK.sectors * SECTOR;
        match parse(DISK, &parts) {
            (Ok(Request::Read { position }), _, len) | (Ok(Request::Write { position }), len, _) => {
                prop_assert!(position + len as u64 <= end);
            }
            (Ok(Request::Discard(segments) | Request::WriteZeroes(segments)), ..) => {
                for segment in *segments {
                    prop_assert!(segment.position + segment.len <= end);
                }
            }
            _ => {}
        }
    }
}
