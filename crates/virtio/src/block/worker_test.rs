//! The worker: failing hosts, requests in flight, write-through, looking at the ring; and two engines
//! that give the same answers.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::disk::{Backing, Blocks};
use super::request::Extent;
use super::tests::*;
use super::*;
use crate::event_loop::Polling;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, Part};

/// A disk of 100 sectors over whatever file.
fn over(file: File, engine: EngineKind) -> Block {
    let blocks = Blocks { logical: 512, physical: 512, minimum: 512 };
    let extent = Extent { sectors: 100, readonly: false };
    let disk = Disk::new(file, Backing::File, extent, blocks, "disk0".into());
    Block::over(disk, &DiskSpec { engine: Some(engine), ..DiskSpec::new("") }).unwrap()
}

fn device_file(path: &str) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// A disk from which a read comes back only when something is written to the other end. Where a test
/// fails, that end closes first, so that no thread waits for it.
fn over_pipe() -> (Block, Bench, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut device = over(OwnedFd::from(reader).into(), EngineKind::IoUring);
    let bench = Bench::start(&mut device, 0);
    (device, bench, writer)
}

/// A block device whose driver does something in its own way when it starts it.
struct Tuned<F>(Block, F);

impl<F: Fn(&mut Activation) + Send> Device for Tuned<F> {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn features(&self) -> u64 {
        self.0.features()
    }

    fn queue_sizes(&self) -> Vec<u16> {
        self.0.queue_sizes()
    }

    fn config(&self) -> Vec<u8> {
        self.0.config()
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        (self.1)(&mut activation);
        self.0.start(activation)
    }
}

fn without_flush(device: Block) -> impl Device {
    Tuned(device, |activation: &mut Activation| activation.features &= !F_FLUSH)
}

fn add_read(bench: &mut Bench, sector: u64) -> u16 {
    bench.drivers[0].add(&[Part::Readable(&header(T_IN, sector)), Part::Writable(512), Part::Writable(1)]).unwrap()
}

#[test]
fn a_write_that_fails_on_the_host_is_an_error_in_the_guest_and_is_counted() {
    for engine in ENGINES {
        let mut device = over(device_file("/dev/full"), engine);
        let mut bench = Bench::start(&mut device, 0);
        assert_eq!(send(&mut bench, T_OUT, 1, &[1; 512]), IOERR);
        assert_eq!(send(&mut bench, T_OUT, 2, &[1; 1024]), IOERR);
        assert_eq!(device.disk.failures(), 2);
        assert_eq!(read(&mut bench, 1, 512), (vec![0; 512], OK), "the disk goes on");
    }
}

#[test]
fn a_flush_succeeds_only_where_the_host_says_so() {
    for engine in ENGINES {
        // It takes writes, but nothing can be synced there: a flush that made no call would succeed.
        let mut bench = Bench::start(&mut over(device_file("/dev/null"), engine), 0);
        assert_eq!(send(&mut bench, T_OUT, 0, &[1; 512]), OK);
        assert_eq!(send(&mut bench, T_FLUSH, 0, &[]), IOERR);
    }
}

#[test]
fn a_driver_that_cannot_flush_has_its_changes_made_stable_at_once() {
    for engine in ENGINES {
        let nothing = range(0, 0, 0);
        let mut bench = Bench::start(&mut over(device_file("/dev/null"), engine), 0);
        assert_eq!(send(&mut bench, T_WRITE_ZEROES, 0, &nothing), OK);
        let mut bench = Bench::start(&mut without_flush(over(device_file("/dev/null"), engine)), 0);
        assert_eq!(send(&mut bench, T_WRITE_ZEROES, 0, &nothing), IOERR, "/dev/null cannot be synced");
        let image = image(4);
        let mut bench = Bench::start(&mut without_flush(Block::open(&spec(&image, engine), "disk0").unwrap()), 0);
        assert_eq!(send(&mut bench, T_OUT, 1, &[9; 512]), OK);
        assert_eq!(send(&mut bench, T_DISCARD, 1, &range(2, 1, 0)), OK);
        assert_eq!(contents(&image), [[0; 512], [9; 512], [0; 512], [3; 512]].concat());
    }
}

#[test]
fn a_discard_that_fails_on_the_host_is_an_error_in_the_guest() {
    for engine in ENGINES {
        let mut bench = Bench::start(&mut over(device_file("/dev/null"), engine), 0);
        assert_eq!(send(&mut bench, T_DISCARD, 0, &range(0, 1, 0)), IOERR);
    }
}

#[test]
fn a_queue_that_the_driver_left_out_has_no_worker() {
    let image = image(1);
    for engine in ENGINES {
        let device = Block::open(&DiskSpec { queues: 3, ..spec(&image, engine) }, "disk0").unwrap();
        let mut device = Tuned(device, |activation: &mut Activation| activation.queues[1] = None);
        assert_eq!(Bench::start(&mut device, 0).workers.len(), 2);
    }
}

#[test]
fn slow_requests_do_not_hold_up_others_and_come_back_when_they_are_done() {
    let (_device, mut bench, mut slow) = over_pipe();
    let head = add_read(&mut bench, 0);
    assert_eq!(bench.workers[0].ready(0).unwrap(), Polling::Sleep);
    assert!(bench.drivers[0].take_used().is_none());
    // Another one is answered meanwhile, and a kick is wanted for the next.
    let used = ask(&mut bench, &[Part::Readable(&header(99, 0)), Part::Writable(1)]);
    assert_eq!(used.data, [UNSUPP]);
    assert!(bench.drivers[0].kick_wanted(bench.drivers[0].available_index().wrapping_sub(1)));
    // Half of it: the rest is asked for again.
    slow.write_all(&[7; 200]).unwrap();
    slow.write_all(&[8; 312]).unwrap();
    let used = answer(&mut bench.drivers[0], bench.workers[0].as_mut());
    assert_eq!((used.head, used.written), (head, 513));
    assert_eq!(used.data, [&[7; 200][..], &[8; 312], &[OK]].concat());
}

#[test]
fn stopping_waits_for_requests_in_flight_and_hands_each_back_once() {
    let (mut device, mut bench, mut slow) = over_pipe();
    let heads = [add_read(&mut bench, 0), add_read(&mut bench, 1)];
    bench.workers[0].ready(0).unwrap();
    let mut worker = bench.workers.remove(0);
    let stopping = std::thread::spawn(move || {
        worker.stop();
        worker.stop();
    });
    slow.write_all(&[1; 100]).unwrap();
    assert!(!stopping.is_finished(), "924 bytes are still on their way");
    slow.write_all(&[1; 924]).unwrap();
    stopping.join().unwrap();
    let mut used: Vec<_> = std::iter::from_fn(|| bench.drivers[0].take_used()).map(|used| used.head).collect();
    used.sort_unstable();
    let mut heads = heads.to_vec();
    heads.sort_unstable();
    assert_eq!(used, heads);
    assert_eq!(device.parked.lock().unwrap().len(), 1, "the ring is there for the next start");
    // What is written now reaches no memory of the guest.
    slow.write_all(&[2; 512]).unwrap();
    assert_eq!(Bench::start(&mut device, 0).workers.len(), 1);
}

#[test]
fn a_disk_can_be_reset_after_any_number_of_steps() {
    let image = image(16);
    for engine in ENGINES {
        let mut device = Block::open(&spec(&image, engine), "disk0").unwrap();
        for steps in 0..6 {
            let mut bench = Bench::start(&mut device, EVENT_IDX);
            for sector in 0..5 {
                add_read(&mut bench, sector);
                if sector < steps {
                    bench.workers[0].ready(0).unwrap();
                }
            }
            bench.workers[0].stop();
            bench.workers[0].stop();
            // The driver checks that no chain comes back that it does not know.
            assert_eq!(std::iter::from_fn(|| bench.drivers[0].take_used()).count() as u64, steps.min(5));
        }
    }
}

#[test]
fn a_driver_cannot_have_more_in_flight_than_its_ring_has_entries() {
    let (_device, mut bench, slow) = over_pipe();
    let head = add_read(&mut bench, 0);
    for _ in 1..QUEUE_SIZE {
        bench.drivers[0].offer(head);
    }
    while bench.workers[0].ready(0).unwrap() == Polling::Again {}
    bench.drivers[0].offer(head);
    bench.workers[0].ready(0).unwrap_err();
    // All of them come back all the same.
    drop(slow);
    bench.workers[0].stop();
    assert_eq!(bench.drivers[0].counters.requests.get(), u64::from(QUEUE_SIZE));
}

#[test]
fn a_polling_worker_finds_requests_without_a_kick() {
    let image = image(4);
    for engine in ENGINES {
        let spec = DiskSpec { poll: Poll::Adaptive, ..spec(&image, engine) };
        let mut device = Block::open(&spec, "disk0").unwrap();
        // As it would be on a host with several CPUs.
        device.polls = vec![Arc::default()];
        device.poll_bound = 200_000;
        let now = Arc::new(AtomicU64::new(0));
        let hand = Arc::clone(&now);
        device.clock = Clock(Arc::new(move || hand.load(Ordering::Relaxed)));
        let mut bench = Bench::start(&mut device, EVENT_IDX);
        let kick_wanted =
            |bench: &Bench| bench.drivers[0].kick_wanted(bench.drivers[0].available_index().wrapping_sub(1));

        // Nothing is known of this guest: the worker sleeps after its first request.
        assert_eq!(read(&mut bench, 0, 512).1, OK);
        add_read(&mut bench, 1);
        assert!(kick_wanted(&bench));

        // The second came 30 us after it, so the third is looked for.
        now.store(30_000, Ordering::Relaxed);
        answer(&mut bench.drivers[0], bench.workers[0].as_mut());
        assert_eq!(bench.workers[0].poll().unwrap(), Polling::Again);
        now.store(50_000, Ordering::Relaxed);
        add_read(&mut bench, 2);
        assert!(!kick_wanted(&bench));
        while bench.drivers[0].take_used().is_none() {
            assert_eq!(bench.workers[0].poll().unwrap(), Polling::Again);
            std::thread::yield_now();
        }
        let counters = &device.poll_counters()[0];
        assert_eq!((counters.found.get(), counters.empty.get(), counters.nanoseconds.get()), (1, 0, 20_000));

        // It took 20 us: the next is looked for during 80.
        now.store(129_999, Ordering::Relaxed);
        assert_eq!(bench.workers[0].poll().unwrap(), Polling::Again);
        now.store(130_000, Ordering::Relaxed);
        assert_eq!(bench.workers[0].poll().unwrap(), Polling::Sleep);
        add_read(&mut bench, 3);
        assert!(kick_wanted(&bench));
        assert_eq!((counters.found.get(), counters.empty.get(), counters.nanoseconds.get()), (1, 1, 100_000));
    }
}

/// Something a driver does to a disk of 64 sectors.
#[derive(Debug, Clone)]
enum Act {
    Write(u64, Vec<u8>),
    Zero(u64, u32, u32),
    Discard(u64, u32),
    Flush,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let sector = 0_u64..70;
    let act = prop_oneof![
        (sector.clone(), 0_usize..9, any::<u8>())
            .prop_map(|(sector, count, byte)| Act::Write(sector, vec![byte; count * 512])),
        (sector.clone(), 0_u32..9, 0_u32..3).prop_map(|(sector, count, flags)| Act::Zero(sector, count, flags)),
        (sector, 0_u32..9).prop_map(|(sector, count)| Act::Discard(sector, count)),
        Just(Act::Flush),
    ];
    prop::collection::vec(act, 1..20)
}

/// What the disk should be afterwards, and the status.
fn expected(disk: &mut [u8], act: &Act) -> u8 {
    let (sector, len, fill) = match act {
        Act::Write(sector, bytes) => (*sector, bytes.len(), bytes.first().copied().unwrap_or(0)),
        Act::Zero(_, _, 2..) => return UNSUPP,
        Act::Zero(sector, count, _) | Act::Discard(sector, count) => (*sector, *count as usize * 512, 0),
        Act::Flush => return OK,
    };
    let start = sector as usize * 512;
    match disk.get_mut(start..start + len) {
        Some(range) => {
            range.fill(fill);
            OK
        }
        None => IOERR,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_leaves_the_same_disk_whatever_the_engine(acts in acts()) {
        for engine in ENGINES {
            let image = image(64);
            let mut disk = contents(&image);
            let mut bench = Bench::start(&mut Block::open(&spec(&image, engine), "disk0").unwrap(), 0);
            for act in &acts {
                let status = match act {
                    Act::Write(sector, bytes) => send(&mut bench, T_OUT, *sector, bytes),
                    Act::Zero(sector, count, flags) => send(&mut bench, T_WRITE_ZEROES, 0, &range(*sector, *count, *flags)),
                    Act::Discard(sector, count) => send(&mut bench, T_DISCARD, 0, &range(*sector, *count, 0)),
                    Act::Flush => send(&mut bench, T_FLUSH, 0, &[]),
                };
                prop_assert_eq!(status, expected(&mut disk, act), "{:?}, {:?}", engine, act);
            }
            prop_assert_eq!(&contents(&image), &disk);
            prop_assert_eq!(read(&mut bench, 0, disk.len()), (disk, OK));
        }
    }
}

/// Whatever a request names, a turn moves and zeroes a bounded number of bytes, and the next turn goes on.
#[test]
fn a_turn_moves_four_mebibytes_at_most() {
    const MIB: usize = 1 << 20;
    let file = tempfile::tempfile().unwrap();
    file.set_len(256 << 20).unwrap();
    let blocks = Blocks { logical: 512, physical: 512, minimum: 512 };
    let extent = Extent { sectors: (256 << 20) / 512, readonly: false };
    for engine in ENGINES {
        let disk = Disk::new(file.try_clone().unwrap(), Backing::File, extent, blocks, "disk0".into());
        let mut device = Block::over(disk, &DiskSpec { engine: Some(engine), ..DiskSpec::new("") }).unwrap();
        let mut bench = Bench::start(&mut device, EVENT_IDX);
        // The same memory several times: a request may be longer than the guest's RAM.
        let mut parts = vec![Part::Readable(&[0; 16])];
        parts.extend((0..3).map(|_| Part::Writable(MIB)));
        parts.push(Part::Writable(1));
        for _ in 0..8 {
            bench.drivers[0].add(&parts).unwrap();
        }
        let (mut turns, mut done, mut most) = (0, 0, 0);
        let mut polling = bench.workers[0].ready(0).unwrap();
        while done < 8 {
            turns += 1;
            let ended = std::iter::from_fn(|| bench.drivers[0].take_used())
                .inspect(|used| assert_eq!(used.data[3 * MIB], OK))
                .count();
            (done, most) = (done + ended, most.max(ended));
            polling = if polling == Polling::Again {
                bench.workers[0].poll().unwrap()
            } else {
                bench.workers[0].ready(1).unwrap()
            };
        }
        assert!(turns >= 6, "24 MiB took {turns} turns with {engine:?}");
    }
}

/// A file in memory has no ZERO_RANGE, so an io_uring has to fall back on calls as well.
#[test]
fn zeroes_written_by_a_call_are_cut_into_steps() {
    for (engine, folder) in [(EngineKind::Sync, std::env::temp_dir()), (EngineKind::IoUring, "/dev/shm".into())] {
        let file = tempfile::tempfile_in(folder).unwrap();
        file.set_len(256 << 20).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[7; 4096], (64 << 20) - 4096).unwrap();
        let blocks = Blocks { logical: 512, physical: 512, minimum: 512 };
        let extent = Extent { sectors: (256 << 20) / 512, readonly: false };
        let disk = Disk::new(file.try_clone().unwrap(), Backing::File, extent, blocks, "disk0".into());
        let mut device = Block::over(disk, &DiskSpec { engine: Some(engine), ..DiskSpec::new("") }).unwrap();
        let mut bench = Bench::start(&mut device, EVENT_IDX);
        let range = range(0, 1 << 17, 0);
        bench.drivers[0].add(&[Part::Readable(&header(T_WRITE_ZEROES, 0)), Part::Readable(&range), Part::Writable(1)]);
        let (mut turns, mut used) = (1, None);
        bench.workers[0].ready(0).unwrap();
        while used.is_none() {
            turns += 1;
            bench.workers[0].poll().unwrap();
            used = bench.drivers[0].take_used();
        }
        assert_eq!(used.unwrap().data, [OK]);
        assert!(turns >= 16, "64 MiB took {turns} turns of 4 MiB with {engine:?}");
        let mut end = [1; 4096];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, (64 << 20) - 4096).unwrap();
        assert_eq!(end, [0; 4096], "{engine:?}");
    }
}

#[test]
fn changes_that_were_not_negotiated_are_refused() {
    for engine in ENGINES {
        let mut device = Tuned(over(device_file("/dev/null"), engine), |activation: &mut Activation| {
            activation.features &= !(F_DISCARD | F_WRITE_ZEROES);
        });
        let mut bench = Bench::start(&mut device, 0);
        for kind in [T_DISCARD, T_WRITE_ZEROES] {
            assert_eq!(send(&mut bench, kind, 0, &range(0, 1, 0)), UNSUPP);
        }
    }
}

proptest! {
    /// Wherever it is stopped, a disk that starts again from there completes every request exactly once. (The fake
    /// driver refuses a chain that comes back twice.)
    #[test]
    fn a_disk_stopped_anywhere_completes_each_request_once(
        steps in proptest::collection::vec((0_u8..4, 0_u64..8), 1..60),
        sync in any::<bool>(),
    ) {
        let image = image(64);
        let engine = if sync { EngineKind::Sync } else { EngineKind::IoUring };
        let mut device = Block::open(&spec(&image, engine), "disk0").unwrap();
        let mut bench = Bench::start(&mut device, EVENT_IDX);
        let (mut asked, mut done) = (0, 0);
        for (step, sector) in steps {
            match step {
                0 | 1 => {
                    if bench.drivers[0].add(&[Part::Readable(&header(T_IN, sector)), Part::Writable(512), Part::Writable(1)]).is_some() {
                        asked += 1;
                    }
                }
                2 => drop(bench.workers[0].ready(0).unwrap()),
                _ => drop(bench.stop_and_go_on(&mut device)),
            }
            done += std::iter::from_fn(|| bench.drivers[0].take_used()).count();
        }
        while done < asked {
            bench.workers[0].ready(0).unwrap();
            done += std::iter::from_fn(|| bench.drivers[0].take_used()).count();
        }
        prop_assert_eq!(bench.stop_and_go_on(&mut device)[0].next, asked as u16);
    }
}
