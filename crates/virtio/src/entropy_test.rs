use std::io::Write;

use super::*;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, Part};

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

/// A device whose random bytes are known.
fn bench(content: &[u8]) -> Bench {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    Bench::start(&mut Entropy::from_source(file), EVENT_IDX)
}

#[test]
fn every_buffer_of_a_request_is_filled_from_the_source() {
    let mut bench = bench(&bytes(100));
    bench.drivers[0].add(&[Part::Writable(40), Part::Writable(60)]).unwrap();
    assert_eq!(bench.workers[0].ready(0).unwrap(), Polling::Sleep);
    let used = bench.drivers[0].take_used().unwrap();
    assert_eq!((used.written, used.data), (100, bytes(100)));
}

#[test]
fn a_long_request_is_filled_to_the_bound_and_no_further() {
    let mut bench = bench(&bytes(1 << 20));
    bench.drivers[0].add(&[Part::Writable(MAX_REQUEST - 1), Part::Writable(1000)]).unwrap();
    bench.workers[0].ready(0).unwrap();
    let used = bench.drivers[0].take_used().unwrap();
    assert_eq!(used.written as usize, MAX_REQUEST);
    assert_eq!(used.data[..MAX_REQUEST], bytes(MAX_REQUEST));
    assert_eq!(used.data[MAX_REQUEST..], [0; 999], "nothing is written that is not reported");
}

#[test]
fn a_full_queue_costs_one_interrupt_and_leaves_kicks_asked_for() {
    let mut bench = bench(&bytes(8));
    for _ in 0..QUEUE_SIZE {
        bench.drivers[0].add(&[Part::Writable(1)]).unwrap();
    }
    bench.workers[0].ready(0).unwrap();
    let driver = &mut bench.drivers[0];
    let filled: Vec<u8> = std::iter::from_fn(|| driver.take_used()).flat_map(|used| used.data).collect();
    assert_eq!(filled, bytes(8));
    assert_eq!((driver.take_interrupts(), driver.counters.bytes_to_guest.get()), (1, 8));
    let before = driver.available_index();
    driver.add(&[Part::Writable(1)]).unwrap();
    assert!(driver.kick_wanted(before));
}

#[test]
fn buffers_that_only_the_driver_writes_come_back_untouched() {
    let mut bench = bench(&bytes(100));
    bench.drivers[0].add(&[Part::Readable(b"nothing to fill")]).unwrap();
    bench.workers[0].ready(0).unwrap();
    assert_eq!(bench.drivers[0].take_used().unwrap().written, 0);
}

#[test]
fn the_host_fills_a_request_whole_and_never_the_same_way_twice() {
    let mut bench = Bench::start(&mut Entropy::open(&EntropySpec::default()).unwrap(), EVENT_IDX);
    let mut fill = || {
        bench.drivers[0].add(&[Part::Writable(64)]).unwrap();
        bench.workers[0].ready(0).unwrap();
        bench.drivers[0].take_used().unwrap()
    };
    let (first, second) = (fill(), fill());
    assert_eq!((first.written, second.written), (64, 64));
    assert_ne!(first.data, second.data);
}

#[test]
fn a_broken_ring_is_a_fault_and_no_panic() {
    let mut bench = bench(&[]);
    bench.drivers[0].set_available_index(QUEUE_SIZE + 1);
    assert!(bench.workers[0].ready(0).is_err());
}
