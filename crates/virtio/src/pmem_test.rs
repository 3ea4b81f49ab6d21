use std::error::Error;

use super::*;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, Part, Used};

const FLUSH: &[u8] = &REQ_TYPE_FLUSH.to_le_bytes();

fn spec(path: &Path, readonly: bool) -> PmemSpec {
    PmemSpec { path: path.to_owned(), readonly }
}

/// A file of `len` bytes in a folder that goes with it.
fn image(len: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    File::create(&path).unwrap().set_len(len).unwrap();
    (folder, path)
}

fn start(pmem: &mut Pmem) -> Bench {
    pmem.place(GuestAddress(8 << 30));
    Bench::start(pmem, EVENT_IDX)
}

fn ask(bench: &mut Bench, parts: &[Part<'_>]) -> Used {
    bench.drivers[0].add(parts).unwrap();
    assert_eq!(bench.workers[0].ready(0).unwrap(), Polling::Sleep);
    bench.drivers[0].take_used().unwrap()
}

/// The whole message, as a person sees it.
fn refusal(spec: &PmemSpec) -> String {
    let error = Pmem::open(spec, "pmem0").unwrap_err();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

#[test]
fn the_guest_is_told_where_the_file_is_and_how_long() {
    let (_folder, path) = image(2 * ALIGNMENT);
    let mut pmem = Pmem::open(&spec(&path, false), "pmem0").unwrap();
    pmem.place(GuestAddress(0x2_4000_0000));
    assert_eq!(pmem.config(), [0, 0, 0, 0x40, 2, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0]);
    assert_eq!((pmem.size(), pmem.readonly()), (2 * ALIGNMENT, false));
}

#[test]
fn what_is_written_through_the_window_is_in_the_file_after_a_flush() {
    let (_folder, path) = image(ALIGNMENT);
    let mut pmem = Pmem::open(&spec(&path, false), "pmem0").unwrap();
    let mut bench = start(&mut pmem);
    pmem.window().copy_from(4096, b"durable");
    let used = ask(&mut bench, &[Part::Readable(FLUSH), Part::Writable(4)]);
    assert_eq!((used.written, used.data), (4, RESP_OK.to_le_bytes().to_vec()));
    assert_eq!(std::fs::read(&path).unwrap()[4096..4103], *b"durable");
}

#[test]
fn a_read_only_file_shows_its_bytes_and_a_flush_of_it_succeeds() {
    let (_folder, path) = image(ALIGNMENT);
    std::fs::write(&path, vec![b'r'; ALIGNMENT as usize]).unwrap();
    let mut pmem = Pmem::open(&spec(&path, true), "pmem0").unwrap();
    let mut seen = [0; 3];
    pmem.window().copy_to(ALIGNMENT as usize - 3, &mut seen);
    assert_eq!((&seen, pmem.readonly()), (b"rrr", true));
    let mut bench = start(&mut pmem);
    assert_eq!(ask(&mut bench, &[Part::Readable(FLUSH), Part::Writable(4)]).data, RESP_OK.to_le_bytes());
}

#[test]
fn a_failed_flush_is_an_error_in_the_guest_and_so_is_every_later_one() {
    let (_folder, path) = image(ALIGNMENT);
    let mut pmem = Pmem::open(&spec(&path, false), "pmem0").unwrap();
    let (pipe, _other_end) = io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(pipe)); // fdatasync refuses pipes
    let broken = Backing { file: pipe, readonly: false, failed: AtomicBool::new(false), cut: None };
    let good = std::mem::replace(&mut pmem.backing, Arc::new(broken));
    let flush = [Part::Readable(FLUSH), Part::Writable(4)];
    assert_eq!(ask(&mut start(&mut pmem), &flush).data, (-1_i32).to_le_bytes());

    let failed = AtomicBool::new(pmem.backing.failed.load(Ordering::Relaxed));
    let file = good.file.try_clone().unwrap();
    pmem.backing = Arc::new(Backing { file, readonly: false, failed, cut: None });
    assert_eq!(ask(&mut start(&mut pmem), &flush).data, RESP_EIO.to_le_bytes(), "the file syncs, the promise is void");
}

#[test]
fn what_is_no_flush_is_refused_and_what_has_no_room_gets_no_answer() {
    let (_folder, path) = image(ALIGNMENT);
    let mut bench = start(&mut Pmem::open(&spec(&path, false), "pmem0").unwrap());
    let odd = ask(&mut bench, &[Part::Readable(&7_u32.to_le_bytes()), Part::Writable(4)]);
    assert_eq!(odd.data, RESP_EIO.to_le_bytes());
    let cut = ask(&mut bench, &[Part::Readable(&FLUSH[..3]), Part::Writable(4)]);
    assert_eq!(cut.data, RESP_EIO.to_le_bytes());
    assert_eq!(ask(&mut bench, &[Part::Readable(FLUSH), Part::Writable(3)]).written, 0);
    assert_eq!(ask(&mut bench, &[Part::Readable(FLUSH)]).written, 0);
}

#[test]
fn requests_that_wait_together_cost_one_interrupt() {
    let (_folder, path) = image(ALIGNMENT);
    let mut bench = start(&mut Pmem::open(&spec(&path, false), "pmem0").unwrap());
    for _ in 0..10 {
        bench.drivers[0].add(&[Part::Readable(FLUSH), Part::Writable(4)]).unwrap();
    }
    bench.workers[0].ready(0).unwrap();
    let driver = &mut bench.drivers[0];
    assert_eq!(std::iter::from_fn(|| driver.take_used()).count(), 10);
    assert_eq!(driver.take_interrupts(), 1);
}

#[test]
fn a_device_without_a_place_does_not_start() {
    let (_folder, path) = image(ALIGNMENT);
    let mut pmem = Pmem::open(&spec(&path, false), "pmem0").unwrap();
    let ram = crate::testkit::ram(crate::testkit::FOOTPRINT);
    let driver = crate::testkit::FakeDriver::new(&ram, 0, QUEUE_SIZE, 0);
    let page = Mapping::anonymous(4096, illico_memory::Pages::Small).unwrap();
    let interrupt = crate::interrupt::Interrupt::none();
    let config = crate::config_space::ConfigWriter { space: page.clone(), generation: page, interrupt };
    let queues = vec![Some(driver.queue())];
    assert!(pmem.start(Activation { ram, features: 0, queues, config }).is_err());
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_the_way_out() {
    let (folder, path) = image(ALIGNMENT + 1);
    let error = DeviceError::from(Pmem::open(&spec(&path, false), "pmem0").unwrap_err());
    let said = error.to_string();
    assert!(said.starts_with(&format!("path={}: ", path.display())), "{said}");
    assert!(said.contains(&format!("truncate -s {}", 2 * ALIGNMENT)), "{said}");
    let (_empty_folder, empty) = image(0);
    assert!(refusal(&spec(&empty, true)).contains(&format!("truncate -s {ALIGNMENT}")));
    assert!(refusal(&spec(folder.path(), true)).contains("not a regular file"));
    assert!(refusal(&spec(&folder.path().join("none"), true)).contains("opening the file for reading"));
}

#[test]
fn a_file_that_is_written_is_used_once() {
    let (_folder, path) = image(ALIGNMENT);
    let first = Pmem::open(&spec(&path, false), "pmem0").unwrap();
    assert!(refusal(&spec(&path, false)).contains("in use"));
    assert!(refusal(&spec(&path, true)).contains("in use"));
    drop(first);
    let _first = Pmem::open(&spec(&path, true), "pmem0").unwrap();
    Pmem::open(&spec(&path, true), "pmem1").unwrap();
}

#[test]
fn the_holes_of_a_writable_file_are_allocated() {
    let (_folder, path) = image(2 * ALIGNMENT);
    let blocks = || std::fs::metadata(&path).unwrap().blocks() * 512;
    drop(Pmem::open(&spec(&path, true), "pmem0").unwrap());
    assert_eq!(blocks(), 0, "one that is only read stays sparse");
    let pmem = Pmem::open(&spec(&path, false), "pmem0").unwrap();
    assert!(blocks() >= pmem.size());
    assert_eq!(std::fs::read(&path).unwrap(), vec![0; 2 * ALIGNMENT as usize]);
}

#[test]
fn holes_that_the_disk_has_no_room_for_are_refused() {
    let (_folder, path) = image(4 << 40);
    let refused = refusal(&spec(&path, false));
    assert!(refused.contains("its holes take 4398046511104 bytes of disk"), "{refused}");
    assert_eq!(std::fs::metadata(&path).unwrap().blocks(), 0, "the disk is as it was");
}
