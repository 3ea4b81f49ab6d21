//! A console on a real loop, with real edges of real files.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::stream::tests::terminal;
use super::*;
use crate::event_loop::EventLoop;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, FakeDriver, Part};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

fn add(driver: &mut FakeDriver, part: &Part<'_>) -> bool {
    let before = driver.available_index();
    let added = driver.add(std::slice::from_ref(part)).is_some();
    if added && driver.kick_wanted(before) {
        driver.kick();
    }
    added
}

/// Runs a console on a thread, and `guest` beside it.
fn with_loop(input: OwnedFd, output: OwnedFd, guest: impl FnOnce(&mut Bench)) -> Bench {
    let mut bench = Bench::start(&mut Console::open(input, output, None).unwrap(), EVENT_IDX);
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let thread = std::thread::spawn(move || event_loop.run());
    let workers = std::mem::take(&mut bench.workers);
    let panic_on_fault = || Box::new(|fault: &Fault| panic!("{fault}"));
    let attached: Vec<_> = workers.into_iter().map(|worker| handle.attach(worker, panic_on_fault()).unwrap()).collect();
    guest(&mut bench);
    drop(attached);
    handle.stop();
    thread.join().unwrap().unwrap();
    bench
}

fn slow_reader_gets_every_byte_once(output: OwnedFd, mut reader: impl Read) {
    let null = File::open("/dev/null").unwrap();
    let (bytes, mut seen): (_, Vec<u8>) = (pattern(700_000), Vec::new());
    let bench = with_loop(null.into(), output, |bench| {
        let driver = &mut bench.drivers[1];
        let mut some = [0; 1000];
        for chunk in bytes.chunks(3_000) {
            while !add(driver, &Part::Readable(chunk)) {
                // The ring is full, so there is something to read.
                let count = reader.read(&mut some).unwrap();
                seen.extend(&some[..count]);
                while driver.take_used().is_some() {}
            }
        }
        while seen.len() < bytes.len() {
            let count = reader.read(&mut some).unwrap();
            seen.extend(&some[..count]);
        }
    });
    assert_eq!(bench.drivers[1].counters.bytes_from_guest.get(), 700_000);
    assert!(seen == bytes);
}

#[test]
fn a_slow_pipe_gets_every_byte_once() {
    let (reader, writer) = pipe().unwrap();
    slow_reader_gets_every_byte_once(writer.into(), reader);
}

#[test]
fn a_slow_socket_gets_every_byte_once() {
    let (reader, writer) = UnixStream::pair().unwrap();
    slow_reader_gets_every_byte_once(writer.into(), reader);
}

#[test]
fn a_slow_terminal_gets_every_byte_once() {
    let (outside, inside) = terminal();
    let mut raw = tcgetattr(&inside).unwrap();
    raw.make_raw();
    tcsetattr(&inside, OptionalActions::Now, &raw).unwrap();
    slow_reader_gets_every_byte_once(inside.into(), File::from(outside));
}

fn all_input_arrives(input: OwnedFd, mut writer: impl Write + Send) {
    let (bytes, mut seen): (_, Vec<u8>) = (pattern(300_000), Vec::new());
    let null = File::options().write(true).open("/dev/null").unwrap();
    let sent = &bytes;
    std::thread::scope(|scope| {
        scope.spawn(move || sent.chunks(999).for_each(|chunk| writer.write_all(chunk).unwrap()));
        with_loop(input, null.into(), |bench| {
            let driver = &mut bench.drivers[0];
            while seen.len() < bytes.len() {
                while add(driver, &Part::Writable(700)) {}
                while let Some(used) = driver.take_used() {
                    seen.extend(&used.data[..used.written as usize]);
                }
                std::thread::yield_now();
            }
        });
    });
    assert!(seen == bytes);
}

#[test]
fn all_that_a_pipe_brings_arrives() {
    let (reader, writer) = pipe().unwrap();
    all_input_arrives(reader.into(), writer);
}

#[test]
fn all_that_a_socket_brings_arrives() {
    let (reader, writer) = UnixStream::pair().unwrap();
    all_input_arrives(reader.into(), writer);
}

#[test]
fn a_feed_hands_on_all_of_a_pipe_and_all_of_a_file() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&pattern(100_000)).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let (reader, mut writer) = pipe().unwrap();
    let typist = std::thread::spawn(move || writer.write_all(&pattern(100_000)).unwrap());
    for input in [OwnedFd::from(file), reader.into()] {
        let (sender, receiver) = std::sync::mpsc::channel();
        let feed = Feed::open(input, move |bytes| sender.send(bytes.to_vec()).unwrap()).unwrap();
        let event_loop = EventLoop::new().unwrap();
        let handle = event_loop.handle();
        let thread = std::thread::spawn(move || event_loop.run());
        let attached = handle.attach(Box::new(feed), Box::new(|_| {})).unwrap();
        let seen: Vec<u8> = receiver.iter().flatten().take(100_000).collect();
        assert!(seen == pattern(100_000));
        drop(attached);
        handle.stop();
        thread.join().unwrap().unwrap();
    }
    typist.join().unwrap();
}
