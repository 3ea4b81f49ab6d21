use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};

use super::*;
use crate::event_loop::Polling;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, FakeDriver, Part};

const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;
/// Sources of a worker.
const KICK: usize = 0;
const FILE: usize = 1;

const SIZE: Size = Size { columns: 80, rows: 25 };

/// A console between two pipes.
fn bench() -> (Bench, PipeWriter, PipeReader) {
    let ((input, person), (screen, output)) = (pipe().unwrap(), pipe().unwrap());
    let mut console = Console::open(input.into(), output.into(), Some(SIZE)).unwrap();
    (Bench::start(&mut console, EVENT_IDX), person, screen)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

/// Calls a worker until it wants to sleep, and says how often it was called.
fn settle(bench: &mut Bench, queue: usize, source: usize) -> u32 {
    let mut calls = 1;
    let mut polling = bench.workers[queue].ready(source).unwrap();
    while polling == Polling::Again {
        polling = bench.workers[queue].poll().unwrap();
        calls += 1;
    }
    calls
}

fn read_now(screen: &mut PipeReader, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    screen.read_exact(&mut bytes).unwrap();
    bytes
}

fn used(driver: &mut FakeDriver) -> usize {
    std::iter::from_fn(|| driver.take_used()).count()
}

#[test]
fn what_the_guest_writes_comes_out_in_order() {
    let (mut bench, _person, mut screen) = bench();
    bench.drivers[TRANSMIT].add(&[Part::Readable(b"Hello"), Part::Readable(b", ")]).unwrap();
    bench.drivers[TRANSMIT].add(&[Part::Readable(b"world\n")]).unwrap();
    bench.drivers[TRANSMIT].add(&[Part::Writable(1)]).unwrap();
    settle(&mut bench, TRANSMIT, KICK);
    assert_eq!(read_now(&mut screen, 13), b"Hello, world\n");
    let driver = &mut bench.drivers[TRANSMIT];
    assert_eq!((used(driver), driver.counters.bytes_from_guest.get()), (3, 13));
}

#[test]
fn a_slow_reader_gets_every_byte_once_and_a_chain_is_done_when_it_is_written() {
    let (mut bench, _person, mut screen) = bench();
    // More than the pipe holds and more than one transfer, in chains of several parts.
    let bytes = pattern(600_000);
    for chain in bytes.chunks(200_000) {
        let parts: Vec<Part<'_>> = chain.chunks(50_001).map(Part::Readable).collect();
        bench.drivers[TRANSMIT].add(&parts).unwrap();
    }
    settle(&mut bench, TRANSMIT, KICK);
    assert_eq!(used(&mut bench.drivers[TRANSMIT]), 0, "the pipe is full, and no chain is written");
    let (mut seen, mut done) = (Vec::new(), 0);
    while seen.len() < bytes.len() {
        let some = 5_000.min(bytes.len() - seen.len());
        seen.extend(read_now(&mut screen, some));
        settle(&mut bench, TRANSMIT, FILE);
        done += used(&mut bench.drivers[TRANSMIT]);
        // 64 KiB may lie in the pipe, written and not yet read.
        assert!(done * 200_000 <= seen.len() + (64 << 10), "{done} chains are acknowledged at {}", seen.len());
    }
    assert!(seen == bytes);
    assert_eq!(done, 3);
}

#[test]
fn while_the_output_is_full_the_guest_need_not_kick() {
    let (mut bench, _person, mut screen) = bench();
    bench.drivers[TRANSMIT].add(&[Part::Readable(&pattern(100_000))]).unwrap();
    settle(&mut bench, TRANSMIT, KICK);
    let before = bench.drivers[TRANSMIT].available_index();
    bench.drivers[TRANSMIT].add(&[Part::Readable(b"more")]).unwrap();
    assert!(!bench.drivers[TRANSMIT].kick_wanted(before));
    read_now(&mut screen, 60_000);
    settle(&mut bench, TRANSMIT, FILE);
    read_now(&mut screen, 40_000);
    assert_eq!(read_now(&mut screen, 4), b"more", "the file's readiness is enough");
}

#[test]
fn a_burst_of_short_writes_costs_one_kick() {
    let (mut bench, _person, mut screen) = bench();
    let bytes = pattern(64 << 10);
    let mut kicks = 0;
    // As Linux prints its log: 16 bytes, then a look at the ring until they are taken.
    for piece in bytes.chunks(16) {
        let before = bench.drivers[TRANSMIT].available_index();
        bench.drivers[TRANSMIT].add(&[Part::Readable(piece)]).unwrap();
        if bench.drivers[TRANSMIT].kick_wanted(before) {
            kicks += 1;
            assert_eq!(bench.workers[TRANSMIT].ready(KICK).unwrap(), Polling::Again);
        } else {
            assert_eq!(bench.workers[TRANSMIT].poll().unwrap(), Polling::Again);
        }
        assert_eq!(used(&mut bench.drivers[TRANSMIT]), 1);
        assert_eq!(read_now(&mut screen, 16), piece);
        // Linux wants to be told of the chain after the last one that it has seen.
        let seen = bench.drivers[TRANSMIT].available_index();
        bench.drivers[TRANSMIT].set_used_event(seen);
    }
    while bench.workers[TRANSMIT].poll().unwrap() == Polling::Again {}
    assert_eq!((kicks, bench.drivers[TRANSMIT].take_interrupts()), (1, 0), "it has seen all there was to tell");
}

#[test]
fn a_driver_that_sleeps_until_its_chain_is_done_is_woken() {
    let (mut bench, _person, _screen) = bench();
    for _ in 0..2 {
        let before = bench.drivers[TRANSMIT].available_index();
        bench.drivers[TRANSMIT].set_used_event(before);
        bench.drivers[TRANSMIT].add(&[Part::Readable(b"x")]).unwrap();
        settle(&mut bench, TRANSMIT, KICK);
        assert_eq!(bench.drivers[TRANSMIT].take_interrupts(), 1);
    }
}

#[test]
fn a_driver_is_told_of_what_was_written_before_the_output_was_full() {
    let (mut bench, _person, _screen) = bench();
    bench.drivers[TRANSMIT].add(&[Part::Readable(b"first")]).unwrap();
    bench.drivers[TRANSMIT].add(&[Part::Readable(&pattern(100_000))]).unwrap();
    settle(&mut bench, TRANSMIT, KICK);
    assert_eq!((used(&mut bench.drivers[TRANSMIT]), bench.drivers[TRANSMIT].take_interrupts()), (1, 1));
}

#[test]
fn after_a_bounded_number_of_looks_the_worker_sleeps_until_a_kick() {
    let (mut bench, _person, _screen) = bench();
    bench.drivers[TRANSMIT].add(&[Part::Readable(b"x")]).unwrap();
    assert_eq!(settle(&mut bench, TRANSMIT, KICK), output::LOOKS + 1);
    let before = bench.drivers[TRANSMIT].available_index();
    bench.drivers[TRANSMIT].add(&[Part::Readable(b"y")]).unwrap();
    assert!(bench.drivers[TRANSMIT].kick_wanted(before));
    assert_eq!(used(&mut bench.drivers[TRANSMIT]), 1);
}

#[test]
fn output_without_a_reader_is_dropped() {
    let (mut bench, _person, screen) = bench();
    drop(screen);
    for _ in 0..2 {
        bench.drivers[TRANSMIT].add(&[Part::Readable(&pattern(200_000))]).unwrap();
    }
    settle(&mut bench, TRANSMIT, KICK);
    assert_eq!(used(&mut bench.drivers[TRANSMIT]), 2);
}

#[test]
fn input_is_read_into_the_posted_buffers() {
    let (mut bench, mut person, _screen) = bench();
    bench.drivers[RECEIVE].add(&[Part::Writable(3), Part::Writable(3)]).unwrap();
    bench.drivers[RECEIVE].add(&[Part::Writable(4096)]).unwrap();
    person.write_all(b"ls -la\n").unwrap();
    settle(&mut bench, RECEIVE, FILE);
    let driver = &mut bench.drivers[RECEIVE];
    let (first, second) = (driver.take_used().unwrap(), driver.take_used().unwrap());
    assert_eq!((first.written, first.data.as_slice()), (6, b"ls -la".as_slice()));
    assert_eq!((second.written, second.data[0]), (1, b'\n'));
    assert_eq!((driver.take_interrupts(), driver.counters.bytes_to_guest.get()), (1, 7));
}

#[test]
fn buffers_are_posted_without_a_kick_until_input_waits_for_one() {
    let (mut bench, mut person, _screen) = bench();
    for _ in 0..2 {
        let before = bench.drivers[RECEIVE].available_index();
        bench.drivers[RECEIVE].add(&[Part::Writable(4)]).unwrap();
        assert!(!bench.drivers[RECEIVE].kick_wanted(before), "nothing waits for this buffer");
    }
    person.write_all(b"abcdefghij").unwrap();
    settle(&mut bench, RECEIVE, FILE);
    assert_eq!(used(&mut bench.drivers[RECEIVE]), 2);
    let before = bench.drivers[RECEIVE].available_index();
    bench.drivers[RECEIVE].add(&[Part::Writable(4)]).unwrap();
    assert!(bench.drivers[RECEIVE].kick_wanted(before), "two bytes wait for it");
    settle(&mut bench, RECEIVE, KICK);
    let last = bench.drivers[RECEIVE].take_used().unwrap();
    assert_eq!((last.written, &last.data[..2]), (2, b"ij".as_slice()));
    for expected in [true, false] {
        // One more look finds that nothing is left to read.
        let before = bench.drivers[RECEIVE].available_index();
        bench.drivers[RECEIVE].add(&[Part::Writable(4)]).unwrap();
        assert_eq!(bench.drivers[RECEIVE].kick_wanted(before), expected);
        settle(&mut bench, RECEIVE, KICK);
        assert_eq!(used(&mut bench.drivers[RECEIVE]), 0);
    }
}

#[test]
fn the_end_of_the_input_is_not_shown_to_the_guest() {
    let (mut bench, mut person, _screen) = bench();
    bench.drivers[RECEIVE].add(&[Part::Writable(8)]).unwrap();
    bench.drivers[RECEIVE].add(&[Part::Writable(8)]).unwrap();
    person.write_all(b"bye").unwrap();
    drop(person);
    for source in [FILE, FILE, KICK] {
        settle(&mut bench, RECEIVE, source);
    }
    let driver = &mut bench.drivers[RECEIVE];
    assert_eq!(driver.take_used().unwrap().written, 3);
    assert_eq!(driver.take_used(), None);
}

#[test]
fn a_regular_file_as_input_is_read_as_the_guest_posts_buffers() {
    let mut script = tempfile::tempfile().unwrap();
    script.write_all(b"echo\npoweroff\n").unwrap();
    std::io::Seek::rewind(&mut script).unwrap();
    let output = File::options().write(true).open("/dev/null").unwrap();
    let mut bench = Bench::start(&mut Console::open(script.into(), output.into(), None).unwrap(), EVENT_IDX);
    let mut text: Vec<u8> = Vec::new();
    for _ in 0..3 {
        let before = bench.drivers[RECEIVE].available_index();
        bench.drivers[RECEIVE].add(&[Part::Writable(8)]).unwrap();
        if bench.drivers[RECEIVE].kick_wanted(before) {
            settle(&mut bench, RECEIVE, KICK);
        }
        while let Some(used) = bench.drivers[RECEIVE].take_used() {
            text.extend(&used.data[..used.written as usize]);
        }
    }
    assert_eq!(text, b"echo\npoweroff\n");
}

#[test]
fn a_buffer_of_no_bytes_is_not_taken_for_the_end() {
    let (mut bench, mut person, _screen) = bench();
    bench.drivers[RECEIVE].add(&[Part::Writable(0)]).unwrap();
    bench.drivers[RECEIVE].add(&[Part::Writable(8)]).unwrap();
    person.write_all(b"on").unwrap();
    settle(&mut bench, RECEIVE, FILE);
    let driver = &mut bench.drivers[RECEIVE];
    assert_eq!((driver.take_used().unwrap().written, driver.take_used().unwrap().written), (0, 2));
}

#[test]
fn a_new_window_size_is_shown_and_told() {
    let ((input, _person), (_screen, output)) = (pipe().unwrap(), pipe().unwrap());
    let mut console = Console::open(input.into(), output.into(), Some(SIZE)).unwrap();
    let resizer = console.resizer().unwrap();
    let mut bench = Bench::start(&mut console, EVENT_IDX);
    assert_eq!(bench.config.read::<[u16; 2]>(0), [80, 25]);
    let generation = |bench: &Bench| bench.config.read::<u8>(4095);
    let before = generation(&bench);
    bench.workers[2].ready(0).unwrap();
    assert_eq!(generation(&bench), before, "nothing has changed, so no interrupt is raised");
    assert!(bench.config_changes.read().is_err());

    resizer.resize(Size { columns: 132, rows: 43 });
    bench.workers[2].ready(0).unwrap();
    assert_eq!(bench.config.read::<[u16; 2]>(0), [132, 43]);
    assert_ne!(generation(&bench), before);
    assert_eq!(bench.config_changes.read().unwrap(), 1);
    assert_eq!(console.config()[..4], [132, 0, 43, 0], "a reset shows the same");
}

#[test]
fn without_a_window_there_is_no_size() {
    let ((input, _person), (_screen, output)) = (pipe().unwrap(), pipe().unwrap());
    let mut console = Console::open(input.into(), output.into(), None).unwrap();
    assert_eq!((console.features() & F_SIZE, console.config()), (0, vec![0; 12]));
    assert_eq!(Bench::start(&mut console, 0).workers.len(), 2);
}

#[test]
fn an_emergency_write_needs_no_queue() {
    let ((input, _person), (mut screen, output)) = (pipe().unwrap(), pipe().unwrap());
    let mut console = Console::open(input.into(), output.into(), None).unwrap();
    for &character in b"oops" {
        console.write_config(EMERG_WR, &u32::from(character).to_le_bytes());
    }
    console.write_config(0, b"not");
    console.write_config(EMERG_WR, &[]);
    drop(console);
    let mut text = String::new();
    screen.read_to_string(&mut text).unwrap();
    assert_eq!(text, "oops");
}

#[test]
fn after_a_reset_the_console_goes_on() {
    let ((input, mut person), (mut screen, output)) = (pipe().unwrap(), pipe().unwrap());
    let mut console = Console::open(input.into(), output.into(), Some(SIZE)).unwrap();
    let mut first = Bench::start(&mut console, EVENT_IDX);
    // A chain that is half written when the guest resets the device is not acknowledged, and not written later.
    first.drivers[TRANSMIT].add(&[Part::Readable(&pattern(100_000))]).unwrap();
    settle(&mut first, TRANSMIT, KICK);
    drop(first);
    read_now(&mut screen, 64 << 10);
    let mut second = Bench::start(&mut console, EVENT_IDX);
    second.drivers[TRANSMIT].add(&[Part::Readable(b"again")]).unwrap();
    settle(&mut second, TRANSMIT, KICK);
    assert_eq!(read_now(&mut screen, 5), b"again");
    second.drivers[RECEIVE].add(&[Part::Writable(8)]).unwrap();
    person.write_all(b"key").unwrap();
    settle(&mut second, RECEIVE, FILE);
    assert_eq!(second.drivers[RECEIVE].take_used().unwrap().written, 3);
}

#[test]
fn a_broken_ring_fails_its_worker_only() {
    let (mut bench, mut person, _screen) = bench();
    person.write_all(b"key").unwrap();
    for (queue, source) in [(RECEIVE, FILE), (TRANSMIT, KICK)] {
        bench.drivers[queue].set_available_index(1000);
        assert!(bench.workers[queue].ready(source).is_err());
    }
}
