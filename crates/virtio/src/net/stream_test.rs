#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::super::{Net, USER_NETWORK, feature};
use super::*;
use crate::event_loop::Polling;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, FakeDriver, Part};

const RX_KICK: usize = 0;
const TX_KICK: usize = 1;
const PORT: usize = 2;

/// Counts how often it is asked why it has gone.
struct Program(Arc<AtomicU32>);

impl Peer for Program {
    fn obituary(&mut self) -> String {
        self.0.fetch_add(1, Ordering::Relaxed);
        "the test has ended".to_owned()
    }
}

struct Card {
    net: Net,
    bench: Bench,
    host: UnixStream,
    obituaries: Arc<AtomicU32>,
}

fn card() -> Card {
    let (ours, host) = UnixStream::pair().unwrap();
    host.set_nonblocking(true).unwrap();
    let obituaries = Arc::new(AtomicU32::new(0));
    let port = StreamPort::new(ours, Box::new(Program(Arc::clone(&obituaries)))).unwrap();
    let mac = "02:00:00:00:00:01".parse().unwrap();
    let mut net = Net::on_ports("net0", mac, USER_NETWORK.mtu, feature::OF_STREAM, vec![Box::new(port)]);
    let bench = Bench::start(&mut net, EVENT_IDX);
    Card { net, bench, host, obituaries }
}

fn frame(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 256 + seed * 31) as u8).collect()
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

fn post(driver: &mut FakeDriver, count: usize) {
    for _ in 0..count {
        if driver.add(&[Part::Writable(1526)]).is_none() {
            break;
        }
    }
}

fn settle(bench: &mut Bench, source: usize) {
    let mut polling = bench.workers[0].ready(source).unwrap();
    while polling == Polling::Again {
        polling = bench.workers[0].poll().unwrap();
    }
}

/// Frames that have come, each put together from its buffers.
fn received(driver: &mut FakeDriver) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(first) = driver.take_used() {
        assert_eq!(first.data[..10], [0; 10]);
        let count = u16::from_le_bytes([first.data[10], first.data[11]]);
        let mut bytes = first.data[..first.written as usize].to_vec();
        for _ in 1..count {
            let more = driver.take_used().expect("all buffers of a frame come together");
            bytes.extend(&more.data[..more.written as usize]);
        }
        frames.push(bytes[12..].to_vec());
    }
    frames
}

#[test]
fn frames_come_and_go_with_their_length_before_them() {
    let mut card = card();
    post(&mut card.bench.drivers[0], 100);
    let frames = [frame(60, 1), frame(1514, 2), frame(65534, 3)];
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
    card.host.write_all(&bytes).unwrap();
    settle(&mut card.bench, PORT);
    assert_eq!(received(&mut card.bench.drivers[0]), frames);

    for frame in &frames {
        card.bench.drivers[1].add(&[Part::Readable(&[0; 12]), Part::Readable(frame)]).unwrap();
    }
    settle(&mut card.bench, TX_KICK);
    let mut got = vec![0; bytes.len() + 1];
    let mut len = 0;
    while let Ok(more @ 1..) = card.host.read(&mut got[len..]) {
        len += more;
        settle(&mut card.bench, PORT);
    }
    assert!(got[..len] == bytes);
}

#[test]
fn what_is_no_frame_is_dropped_both_ways() {
    let mut card = card();
    post(&mut card.bench.drivers[0], 100);
    let good = frame(100, 0);
    card.host.write_all(&[framed(&[]), framed(&[1; 13]), framed(&good)].concat()).unwrap();
    settle(&mut card.bench, PORT);
    assert_eq!(received(&mut card.bench.drivers[0]), std::slice::from_ref(&good));

    for bytes in [&[0; 12][..], &[0; 12 + 13], &[0; 12 + MAX_FRAME + 1]] {
        card.bench.drivers[1].add(&[Part::Readable(bytes)]).unwrap();
    }
    card.bench.drivers[1].add(&[Part::Readable(&[&[0; 12], &good[..]].concat())]).unwrap();
    settle(&mut card.bench, TX_KICK);
    assert_eq!(std::iter::from_fn(|| card.bench.drivers[1].take_used()).count(), 4);
    let mut got = [0; 300];
    assert_eq!(card.host.read(&mut got).unwrap(), 104);
    assert_eq!(got[..104], framed(&good));
}

#[test]
fn a_program_that_goes_takes_the_link_down_and_is_spoken_of_once() {
    for last in [&[][..], &framed(&frame(100, 0))[..50], &u32::MAX.to_be_bytes(), &65550_u32.to_be_bytes()] {
        let mut card = card();
        post(&mut card.bench.drivers[0], 100);
        assert_eq!(card.bench.config.load_u16(6, Ordering::Relaxed), 1);
        card.host.write_all(last).unwrap();
        drop(card.host);
        for _ in 0..3 {
            card.bench.drivers[1].add(&[Part::Readable(&[0; 100])]).unwrap();
            settle(&mut card.bench, TX_KICK);
            settle(&mut card.bench, PORT);
        }
        assert_eq!(std::iter::from_fn(|| card.bench.drivers[1].take_used()).count(), 3, "sent into nothing");
        assert_eq!(
            (card.bench.config.load_u16(6, Ordering::Relaxed), card.bench.config_changes.read().unwrap()),
            (0, 1)
        );
        // The next driver is told, too.
        let mut bench = Bench::start(&mut card.net, EVENT_IDX);
        settle(&mut bench, RX_KICK);
        settle(&mut bench, PORT);
        assert_eq!(bench.config.load_u16(6, Ordering::Relaxed), 0);
        assert_eq!(card.obituaries.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_driver_that_starts_in_the_middle_of_a_frame_gets_the_next() {
    for cut in [2, 4, 30, 103] {
        let mut card = card();
        post(&mut card.bench.drivers[0], 100);
        let (lost, next) = (framed(&frame(100, 0)), framed(&frame(50, 1)));
        card.host.write_all(&lost[..cut]).unwrap();
        settle(&mut card.bench, PORT);
        drop(std::mem::take(&mut card.bench.workers));
        let mut bench = Bench::start(&mut card.net, EVENT_IDX);
        post(&mut bench.drivers[0], 100);
        card.host.write_all(&[&lost[cut..], &next[..]].concat()).unwrap();
        settle(&mut bench, PORT);
        let frames = received(&mut bench.drivers[0]);
        // Of the first frame nothing had been read into buffers yet, or all of it is skipped.
        let expected = if cut <= 4 { vec![frame(100, 0), frame(50, 1)] } else { vec![frame(50, 1)] };
        assert_eq!(frames, expected, "cut at {cut}");
    }
}

#[test]
fn a_slow_program_holds_frames_up_and_loses_none() {
    let mut card = card();
    let frames: Vec<_> = (0..40).map(|seed| frame(20_000 + seed, seed)).collect();
    for frame in &frames {
        card.bench.drivers[1].add(&[Part::Readable(&[&[0; 12], &frame[..]].concat())]).unwrap();
    }
    settle(&mut card.bench, TX_KICK);
    let done = card.bench.drivers[1].counters.requests.get();
    assert!(0 < done && done < 40, "{done}");
    let (mut got, mut bytes) = (Vec::<u8>::new(), [0; 7001]);
    let expected: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
    while got.len() < expected.len() {
        let len = card.host.read(&mut bytes).unwrap();
        got.extend(&bytes[..len]);
        settle(&mut card.bench, PORT);
    }
    assert!(got == expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn frames_cut_anywhere_arrive_whole_and_in_order(
        lengths in prop::collection::vec(MIN_FRAME..66_000_usize, 1..20),
        cuts in prop::collection::vec(1..70_000_usize, 1..20),
    ) {
        let mut card = card();
        let frames: Vec<_> = lengths.iter().enumerate().map(|(seed, &len)| frame(len.min(MAX_FRAME), seed)).collect();
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
        let (mut sent, mut cuts, mut got) = (0, cuts.iter().cycle(), Vec::new());
        let mut rounds = 0;
        while got.len() < frames.len() {
            rounds += 1;
            prop_assert!(rounds < 2_000_000, "frames are stuck");
            if sent < bytes.len() {
                let end = bytes.len().min(sent + cuts.next().unwrap());
                sent += card.host.write(&bytes[sent..end]).unwrap_or(0);
            }
            post(&mut card.bench.drivers[0], 100);
            settle(&mut card.bench, PORT);
            got.extend(received(&mut card.bench.drivers[0]));
        }
        prop_assert!(got == frames);
    }
}

/// The socket is full most of the time, so frames wait when the card is stopped.
#[test]
fn a_card_stopped_while_frames_wait_sends_each_once() {
    let mut card = card();
    post(&mut card.bench.drivers[0], 100);
    let frames: Vec<_> = (0..100).map(|seed| frame(30_000, seed)).collect();
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
    let (mut got, mut buffer, mut sent, mut done) = (Vec::new(), vec![0; 70_000], frames.iter(), 0);
    while got.len() < bytes.len() {
        if let Some(frame) = sent.next() {
            card.bench.drivers[1].add(&[Part::Readable(&[0; 12]), Part::Readable(frame)]).unwrap();
        }
        card.bench.workers[0].ready(TX_KICK).unwrap();
        card.bench.stop_and_go_on(&mut card.net);
        if let Ok(count @ 1..) = card.host.read(&mut buffer) {
            got.extend_from_slice(&buffer[..count]);
        }
        done += std::iter::from_fn(|| card.bench.drivers[1].take_used()).count();
    }
    assert!(got == bytes);
    assert_eq!(done, 100);
    card.host.write_all(&framed(&frames[0])).unwrap();
    settle(&mut card.bench, PORT);
    assert_eq!(received(&mut card.bench.drivers[0]), frames[..1], "receive buffers were put back");
}
