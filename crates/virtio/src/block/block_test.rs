//! The device from the driver's side: each kind of request through a real ring, and what it did to the
//! file.

use std::os::unix::fs::{FileExt, MetadataExt};

use tempfile::NamedTempFile;

use super::*;
use crate::testkit::{Bench, FakeDriver, Part, Used};

pub(super) const T_IN: u32 = 0;
pub(super) const T_OUT: u32 = 1;
pub(super) const T_FLUSH: u32 = 4;
const T_GET_ID: u32 = 8;
pub(super) const T_DISCARD: u32 = 11;
pub(super) const T_WRITE_ZEROES: u32 = 13;
pub(super) const OK: u8 = 0;
pub(super) const IOERR: u8 = 1;
pub(super) const UNSUPP: u8 = 2;

/// An image of `sectors` sectors, each filled with its number.
pub(super) fn image(sectors: u64) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    for sector in 0..sectors {
        file.as_file().write_all_at(&[sector as u8; 512], sector * 512).unwrap();
    }
    file
}

pub(super) const ENGINES: [EngineKind; 2] = [EngineKind::Sync, EngineKind::IoUring];

/// A writable disk over `image`, with that engine.
pub(super) fn spec(image: &NamedTempFile, engine: EngineKind) -> DiskSpec {
    DiskSpec { engine: Some(engine), ..DiskSpec::new(image.path()) }
}

fn open(spec: &DiskSpec) -> Block {
    Block::open(spec, "disk0").unwrap()
}

pub(super) fn header(kind: u32, sector: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[8..].copy_from_slice(&sector.to_le_bytes());
    bytes
}

pub(super) fn range(sector: u64, sectors: u32, flags: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&sector.to_le_bytes());
    bytes[8..12].copy_from_slice(&sectors.to_le_bytes());
    bytes[12..].copy_from_slice(&flags.to_le_bytes());
    bytes
}

/// Asks queue 0 and waits for the answer.
pub(super) fn ask(bench: &mut Bench, parts: &[Part<'_>]) -> Used {
    bench.drivers[0].add(parts).unwrap();
    answer(&mut bench.drivers[0], bench.workers[0].as_mut())
}

/// Lets the worker work until a request comes back.
pub(super) fn answer(driver: &mut FakeDriver, worker: &mut dyn Worker) -> Used {
    loop {
        worker.ready(0).unwrap();
        if let Some(used) = driver.take_used() {
            return used;
        }
        std::thread::yield_now();
    }
}

/// The data and the status of a read.
pub(super) fn read(bench: &mut Bench, sector: u64, len: usize) -> (Vec<u8>, u8) {
    let used = ask(bench, &[Part::Readable(&header(T_IN, sector)), Part::Writable(len), Part::Writable(1)]);
    assert_eq!(used.written as usize, len + 1);
    let (status, data) = used.data.split_last().unwrap();
    (data.to_vec(), *status)
}

/// The status of a request that sends `data`.
pub(super) fn send(bench: &mut Bench, kind: u32, sector: u64, data: &[u8]) -> u8 {
    let used = ask(bench, &[Part::Readable(&header(kind, sector)), Part::Readable(data), Part::Writable(1)]);
    assert_eq!(used.written, 1);
    used.data[0]
}

pub(super) fn contents(image: &NamedTempFile) -> Vec<u8> {
    std::fs::read(image.path()).unwrap()
}

#[test]
fn what_was_written_is_read_back_and_is_in_the_file() {
    for engine in ENGINES {
        let image = image(8);
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        assert_eq!(read(&mut bench, 3, 512), (vec![3; 512], OK));
        assert_eq!(send(&mut bench, T_OUT, 2, &[0xaa; 1024]), OK);
        let (data, status) = read(&mut bench, 1, 4 * 512);
        assert_eq!(data, [[1; 512], [0xaa; 512], [0xaa; 512], [4; 512]].concat());
        assert_eq!(status, OK);
        assert_eq!(&contents(&image)[2 * 512..4 * 512], [0xaa; 1024]);
        let counters = &bench.drivers[0].counters;
        assert_eq!((counters.requests.get(), counters.bytes_from_guest.get()), (3, 1024));
        assert_eq!(bench.drivers[0].take_interrupts(), 3);
    }
}

#[test]
fn a_request_of_many_segments_is_one_request() {
    for engine in ENGINES {
        let image = image(8);
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        let head = header(T_IN, 0);
        let mut parts = vec![Part::Readable(&head)];
        // As many as the configuration space promises.
        parts.extend((0..SEG_MAX).map(|_| Part::Writable(16)));
        parts.push(Part::Writable(1));
        // 254 segments of 16 bytes are not whole sectors: seven of them grow.
        for part in &mut parts[1..8] {
            *part = Part::Writable(16 + 4);
        }
        parts[8] = Part::Writable(16 + 4);
        let len: usize =
            parts[1..parts.len() - 1].iter().map(|part| if let Part::Writable(len) = part { *len } else { 0 }).sum();
        assert_eq!(len, 8 * 512);
        let used = ask(&mut bench, &parts);
        assert_eq!((&used.data[..len], used.data[len]), (&contents(&image)[..], OK));
    }
}

#[test]
fn a_flush_is_answered_and_so_is_an_identity() {
    for engine in ENGINES {
        let image = image(1);
        let named = DiskSpec { id: Some("madeleine".into()), ..spec(&image, engine) };
        let mut bench = Bench::start(&mut open(&named), 0);
        assert_eq!(send(&mut bench, T_FLUSH, 0, &[]), OK);
        let used = ask(&mut bench, &[Part::Readable(&header(T_GET_ID, 0)), Part::Writable(20), Part::Writable(1)]);
        assert_eq!(used.data, b"madeleine\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(used.written, 21);
    }
}

#[test]
fn a_read_only_disk_can_be_read_and_not_changed() {
    for engine in ENGINES {
        let image = image(4);
        let mut device = open(&DiskSpec { readonly: true, ..spec(&image, engine) });
        assert_eq!(device.features() & (F_RO | F_DISCARD | F_WRITE_ZEROES), F_RO);
        let mut bench = Bench::start(&mut device, 0);
        let before = contents(&image);
        assert_eq!(read(&mut bench, 3, 512), (vec![3; 512], OK));
        assert_eq!(send(&mut bench, T_OUT, 0, &[9; 512]), IOERR);
        assert_eq!(send(&mut bench, T_DISCARD, 0, &range(0, 1, 0)), IOERR);
        assert_eq!(send(&mut bench, T_FLUSH, 0, &[]), OK);
        assert_eq!(contents(&image), before);
    }
}

#[test]
fn an_unknown_request_is_unsupported_and_leaves_no_byte_unwritten() {
    for engine in ENGINES {
        let image = image(1);
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        bench.ram.regions()[0].window.fill(0x10000, 4096, 0xee);
        let used = ask(&mut bench, &[Part::Readable(&header(99, 0)), Part::Writable(8), Part::Writable(1)]);
        assert_eq!((used.data, used.written), (vec![0, 0, 0, 0, 0, 0, 0, 0, UNSUPP], 9));
    }
}

#[test]
fn a_discard_gives_blocks_back_and_keeps_the_size() {
    for engine in ENGINES {
        let image = image(2048);
        image.as_file().sync_all().unwrap();
        let before = image.as_file().metadata().unwrap();
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        let ranges = [range(0, 256, 0), range(1024, 256, 0)].concat();
        assert_eq!(send(&mut bench, T_DISCARD, 0, &ranges), OK);
        let after = image.as_file().metadata().unwrap();
        assert_eq!(after.len(), before.len());
        assert_eq!(after.blocks() + 512, before.blocks());
        assert_eq!(read(&mut bench, 256, 512), (vec![0; 512], OK), "256 % 256 is 0, the range ended before it");
        assert_eq!(read(&mut bench, 257, 512), (vec![1; 512], OK));
    }
}

#[test]
fn write_zeroes_reads_as_zeros_with_and_without_giving_blocks_back() {
    for engine in ENGINES {
        let image = image(64);
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        let ranges = [range(1, 2, 0), range(9, 33, 1)].concat();
        assert_eq!(send(&mut bench, T_WRITE_ZEROES, 0, &ranges), OK);
        for (sector, chunk) in contents(&image).chunks(512).enumerate() {
            let zeroed = (1..3).contains(&sector) || (9..42).contains(&sector);
            assert_eq!(chunk, [if zeroed { 0 } else { sector as u8 }; 512], "sector {sector}");
        }
    }
}

#[test]
fn an_image_that_shrank_fails_what_is_beyond_its_end() {
    for engine in ENGINES {
        let image = image(16);
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        image.as_file().set_len(3 * 512).unwrap();
        assert_eq!(read(&mut bench, 2, 512), (vec![2; 512], OK));
        let (data, status) = read(&mut bench, 2, 1024);
        assert_eq!((&data[512..], status), (&[0; 512][..], IOERR));
        assert_eq!(read(&mut bench, 8, 512).1, IOERR);
    }
}

#[test]
fn a_request_without_a_status_byte_fails_the_device() {
    for engine in ENGINES {
        let image = image(1);
        let mut bench = Bench::start(&mut open(&spec(&image, engine)), 0);
        bench.drivers[0].add(&[Part::Readable(&header(T_FLUSH, 0))]).unwrap();
        let fault = bench.workers[0].ready(0).unwrap_err();
        assert_eq!(fault.to_string(), "a request without a status byte");
    }
}

#[test]
fn each_queue_has_a_worker_of_its_own() {
    for engine in ENGINES {
        let image = image(4);
        let several = DiskSpec { queues: 3, ..spec(&image, engine) };
        let mut device = open(&several);
        assert_ne!(device.features() & F_MQ, 0);
        let mut bench = Bench::start(&mut device, 0);
        assert_eq!(bench.workers.len(), 3);
        for (queue, worker) in bench.workers.iter_mut().enumerate() {
            let driver = &mut bench.drivers[queue];
            driver.add(&[Part::Readable(&header(T_IN, queue as u64)), Part::Writable(512), Part::Writable(1)]).unwrap();
            assert_eq!(answer(driver, worker.as_mut()).data[0], queue as u8);
        }
    }
}

#[test]
fn the_configuration_space_describes_the_disk() {
    let image = image(2048);
    let config = open(&DiskSpec { queues: 5, ..spec(&image, EngineKind::Sync) }).config();
    let u32_at = |at: usize| u32::from_le_bytes(config[at..at + 4].try_into().unwrap());
    let u16_at = |at: usize| u16::from_le_bytes(config[at..at + 2].try_into().unwrap());
    assert_eq!(config.len(), 60);
    assert_eq!(config[..8], 2048_u64.to_le_bytes());
    assert_eq!((u32_at(12), u32_at(20)), (254, 512), "seg_max, blk_size");
    assert_eq!((config[24], u16_at(34)), (3, 5), "physical_block_exp, num_queues");
    assert_eq!((u32_at(36), u32_at(40)), (1 << 21, 16), "max_discard_sectors, max_discard_seg");
    assert_eq!((u32_at(48), u32_at(52), config[56]), (1 << 17, 16, 1), "write zeroes");
}

#[test]
fn an_engine_that_was_named_is_taken_and_else_the_image_decides() {
    for engine in ENGINES {
        let image = image(1);
        assert_eq!(open(&spec(&image, engine)).engine(), engine);
    }
    // The kernel's shared memory is a tmpfs everywhere.
    let image = NamedTempFile::new_in("/dev/shm").unwrap();
    image.as_file().set_len(512).unwrap();
    assert_eq!(open(&DiskSpec::new(image.path())).engine(), EngineKind::Sync);
}
