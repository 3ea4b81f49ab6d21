//! A disk request allocates nothing once the worker has seen a few, whatever the engine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use illico_virtio::block::{Block, DiskSpec, EngineKind};
use illico_virtio::testkit::{Bench, Part};

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn header(kind: u32, sector: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[8..].copy_from_slice(&sector.to_le_bytes());
    bytes
}

/// One round of eight requests of different kinds at once. Gives what the worker allocated meanwhile.
fn round(bench: &mut Bench) -> u64 {
    for sector in 0..3 {
        let read = [Part::Readable(&header(0, sector)), Part::Writable(4096), Part::Writable(1)];
        bench.drivers[0].add(&read).unwrap();
        let write = [Part::Readable(&header(1, sector)), Part::Readable(&[7; 512]), Part::Writable(1)];
        bench.drivers[0].add(&write).unwrap();
    }
    bench.drivers[0].add(&[Part::Readable(&header(4, 0)), Part::Writable(1)]).unwrap();
    bench.drivers[0].add(&[Part::Readable(&header(8, 0)), Part::Writable(20), Part::Writable(1)]).unwrap();
    let (mut allocations, mut answers) = (0, 0);
    while answers < 8 {
        let before = ALLOCATIONS.get();
        bench.workers[0].ready(0).unwrap();
        allocations += ALLOCATIONS.get() - before;
        while let Some(used) = bench.drivers[0].take_used() {
            assert_eq!(used.data.last(), Some(&0));
            answers += 1;
        }
        std::thread::yield_now();
    }
    allocations
}

#[test]
fn a_request_allocates_nothing() {
    for engine in [EngineKind::Sync, EngineKind::IoUring] {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(1 << 20).unwrap();
        let spec = DiskSpec { engine: Some(engine), ..DiskSpec::new(image.path()) };
        let mut bench = Bench::start(&mut Block::open(&spec, "disk0").unwrap(), 0);
        let first = round(&mut bench);
        assert_ne!(first, 0, "what is counted is what allocates");
        let later: u64 = (0..50).map(|_| round(&mut bench)).sum();
        assert_eq!(later, 0, "{engine:?}");
    }
}
