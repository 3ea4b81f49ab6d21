use illico_memory::GuestAddress;
use proptest::prelude::*;

use super::test_card::{Modest, RX_KICK, TX_KICK, all, bench, card, frame, mac, modest, on_file, post, receive};
use super::worker::PORT;
use super::*;
use crate::event_loop::Polling;
use crate::ring::split::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, Descriptor};
use crate::spec::feature::{EVENT_IDX, INDIRECT_DESC};
use crate::testkit::{Bench, FakeDriver, Part};

#[test]
fn a_frame_goes_each_way_with_its_header() {
    let (mut bench, host) = bench();
    let (arriving, leaving) = (frame(1, 60, 1), frame(1, 1500, 2));
    post(&mut bench, &[1526; 64]);
    host.send(&arriving).unwrap();
    assert_eq!(bench.workers[0].ready(PORT).unwrap(), Polling::Sleep);
    let used = bench.drivers[0].take_used().unwrap();
    assert_eq!((used.written, &used.data[10..12]), (60, &[1, 0][..]), "one buffer");
    assert_eq!(used.data[12..60], arriving[12..]);

    bench.drivers[1].add(&[Part::Readable(&leaving[..12]), Part::Readable(&leaving[12..])]).unwrap();
    bench.workers[0].ready(TX_KICK).unwrap();
    assert_eq!(bench.drivers[1].take_used().unwrap().written, 0);
    let mut got = vec![0; 2000];
    let length = host.recv(&mut got).unwrap();
    assert_eq!(got[..length], leaving);
    let counters = |driver: &FakeDriver| (driver.counters.bytes_to_guest.get(), driver.counters.bytes_from_guest.get());
    assert_eq!((counters(&bench.drivers[0]), counters(&bench.drivers[1])), ((60, 0), (0, 1500)));
}

#[test]
fn a_long_frame_lies_in_as_many_buffers_as_it_needs() {
    let (mut bench, host) = bench();
    post(&mut bench, &[1526; 128]);
    let frames = [frame(0, 60_000, 1), frame(0, 1526, 2), frame(0, 1527, 3)];
    for frame in &frames {
        host.send(frame).unwrap();
    }
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(receive(&mut bench.drivers[0]).unwrap(), frames[0]);
    assert_eq!(bench.drivers[0].counters.requests.get(), 40 + 1 + 2, "buffers used");
    assert_eq!(all(&mut bench.drivers[0]), frames[1..]);
}

#[test]
fn a_batch_of_frames_costs_one_interrupt() {
    let (mut bench, host) = bench();
    post(&mut bench, &[1526; 64]);
    for seed in 0..5 {
        host.send(&frame(0, 100, seed)).unwrap();
    }
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!((all(&mut bench.drivers[0]).len(), bench.drivers[0].take_interrupts()), (5, 1));
}

#[test]
fn an_answer_that_is_there_already_comes_before_the_word_that_all_was_sent() {
    let (mut bench, host) = bench();
    post(&mut bench, &[1526; 64]);
    host.send(&frame(0, 100, 1)).unwrap();
    bench.drivers[1].add(&[Part::Readable(&frame(0, 100, 2))]).unwrap();
    bench.workers[0].ready(TX_KICK).unwrap();
    assert_eq!((bench.drivers[0].take_interrupts(), bench.drivers[1].take_interrupts()), (1, 1));
    assert_eq!(all(&mut bench.drivers[0]), [frame(0, 100, 1)], "no event of the port was needed");
}

#[test]
fn frames_wait_for_buffers_and_a_kick_brings_them() {
    let (mut bench, host) = bench();
    let frames = [frame(0, 100, 1), frame(0, 200, 2)];
    for frame in &frames {
        host.send(frame).unwrap();
    }
    let before = bench.drivers[0].available_index();
    bench.workers[0].ready(PORT).unwrap();
    post(&mut bench, &[1526; 64]);
    assert!(bench.drivers[0].kick_wanted(before));
    // The port says nothing more: that it had frames must be remembered.
    bench.workers[0].ready(RX_KICK).unwrap();
    assert_eq!(all(&mut bench.drivers[0]), frames);
}

#[test]
fn while_there_is_room_no_kick_is_asked_for() {
    let (mut bench, host) = bench();
    post(&mut bench, &[1526; 100]);
    for seed in 0..3 {
        host.send(&frame(0, 100, seed)).unwrap();
        bench.workers[0].ready(PORT).unwrap();
        let before = bench.drivers[0].available_index();
        post(&mut bench, &[1526]);
        assert!(!bench.drivers[0].kick_wanted(before));
    }
}

#[test]
fn frames_wait_until_the_longest_would_fit() {
    let (mut bench, host) = bench();
    let long = frame(0, 50_000, 1);
    host.send(&long).unwrap();
    post(&mut bench, &[1526; 20]);
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(receive(&mut bench.drivers[0]), None);
    post(&mut bench, &[1526; 23]);
    bench.workers[0].ready(RX_KICK).unwrap();
    assert_eq!(receive(&mut bench.drivers[0]).unwrap(), long);
}

#[test]
fn in_a_small_ring_a_frame_that_does_not_fit_is_dropped_and_its_room_used_again() {
    let (mut bench, host) = modest(0, 16);
    post(&mut bench, &[1526; 4]);
    let fits = frame(0, 4 * 1526, 1);
    for frame in [&frame(0, 4 * 1526 + 1, 2), &frame(0, 60_000, 3), &fits] {
        host.send(frame).unwrap();
    }
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(all(&mut bench.drivers[0]), [fits]);
}

#[test]
fn without_mergeable_buffers_a_frame_has_one_chain() {
    let (mut bench, host) = modest(feature::MRG_RXBUF, QUEUE_SIZE);
    bench.drivers[0].add(&[Part::Writable(12), Part::Writable(1514)]).unwrap();
    post(&mut bench, &[1526]);
    let frames = [frame(0, 1526, 1), frame(0, 1000, 2)];
    for frame in [&frame(0, 1527, 0), &frames[0], &frames[1]] {
        host.send(frame).unwrap();
    }
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(all(&mut bench.drivers[0]), frames, "the longer one is dropped");
}

#[test]
fn a_driver_that_knows_no_checksums_sees_no_flags() {
    for (without, flags) in [(0, 2), (feature::GUEST_CSUM, 0)] {
        let (mut bench, host) = modest(without, QUEUE_SIZE);
        post(&mut bench, &[1526; 64]);
        host.send(&frame(2, 100, 0)).unwrap();
        bench.workers[0].ready(PORT).unwrap();
        assert_eq!(receive(&mut bench.drivers[0]).unwrap()[0], flags);
    }
}

#[test]
fn what_is_no_frame_is_dropped_both_ways() {
    let (mut bench, host) = bench();
    post(&mut bench, &[1526; 64]);
    host.send(&[0; 11]).unwrap();
    host.send(&frame(0, 12, 0)).unwrap();
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(all(&mut bench.drivers[0]), [frame(0, 12, 0)]);

    let last = frame(0, 100, 0);
    for bytes in [&[0; 11][..], &vec![0; MAX_FRAME + 1], &last] {
        bench.drivers[1].add(&[Part::Readable(bytes)]).unwrap();
    }
    bench.drivers[1].add(&[Part::Writable(100)]).unwrap();
    bench.workers[0].ready(TX_KICK).unwrap();
    assert_eq!(std::iter::from_fn(|| bench.drivers[1].take_used()).count(), 4);
    let mut got = vec![0; 200];
    assert_eq!(host.recv(&mut got).unwrap(), 100);
    assert!(host.recv(&mut got).is_err(), "nothing else came out");
}

#[test]
fn a_frame_that_the_port_refuses_is_dropped() {
    let mut bench = on_file("/dev/full", 0);
    bench.drivers[1].add(&[Part::Readable(&frame(0, 100, 0))]).unwrap();
    assert_eq!(bench.workers[0].ready(TX_KICK).unwrap(), Polling::Sleep);
    assert_eq!(bench.drivers[1].take_used().unwrap().written, 0);
}

#[test]
fn while_the_port_is_full_frames_wait_in_order_and_no_kick_is_asked_for() {
    let (mut bench, host) = bench();
    let sent: Vec<_> = (0..60).map(|seed| frame(0, 5000, seed)).collect();
    for frame in &sent {
        bench.drivers[1].add(&[Part::Readable(frame)]).unwrap();
    }
    assert_eq!(bench.workers[0].ready(TX_KICK).unwrap(), Polling::Sleep);
    let done = bench.drivers[1].counters.requests.get();
    assert!(0 < done && done < 60, "{done} frames of 60 fitted");
    let before = bench.drivers[1].available_index();
    bench.drivers[1].add(&[Part::Readable(&sent[0])]).unwrap();
    assert!(!bench.drivers[1].kick_wanted(before));

    let mut received = Vec::new();
    let mut got = vec![0; 6000];
    while received.len() < 60 {
        while let Ok(length) = host.recv(&mut got) {
            received.push(got[..length].to_vec());
        }
        bench.workers[0].ready(PORT).unwrap();
    }
    assert_eq!(received[..60], sent);
    let before = bench.drivers[1].available_index();
    bench.drivers[1].add(&[Part::Readable(&sent[0])]).unwrap();
    assert!(bench.drivers[1].kick_wanted(before), "there is room again");
}

#[test]
fn one_call_moves_a_bounded_number_of_frames() {
    let mut bench = on_file("/dev/null", 1);
    for _ in 0..FRAMES_A_CALL + 1 {
        bench.drivers[1].add(&[Part::Readable(&frame(0, 20, 0))]).unwrap();
    }
    assert_eq!(bench.workers[0].ready(TX_KICK).unwrap(), Polling::Again);
    assert_eq!(bench.drivers[1].counters.requests.get(), FRAMES_A_CALL as u64);
    assert_eq!(bench.workers[0].poll().unwrap(), Polling::Sleep);
    assert_eq!(bench.drivers[1].counters.requests.get(), FRAMES_A_CALL as u64 + 1);

    // Endless frames, each of them longer than any room.
    assert_eq!(on_file("/dev/zero", 1).workers[0].ready(PORT).unwrap(), Polling::Again);
}

#[test]
fn a_port_that_has_hung_up_is_left_alone() {
    let mut bench = on_file("/dev/null", 1);
    assert_eq!(bench.workers[0].ready(PORT).unwrap(), Polling::Sleep);
    assert!(bench.drivers[0].take_used().is_none());
}

#[test]
fn a_driver_that_breaks_the_rules_is_a_fault_and_no_panic() {
    let (mut short, _host) = bench();
    post(&mut short, &[11]);
    assert!(short.workers[0].ready(PORT).is_err(), "no room for a header");
    let (mut jump, _host) = bench();
    jump.drivers[0].set_available_index(QUEUE_SIZE + 1);
    assert!(jump.workers[0].ready(PORT).is_err());
    let (mut jump, _host) = bench();
    jump.drivers[1].set_available_index(QUEUE_SIZE + 1);
    assert!(jump.workers[0].ready(TX_KICK).is_err());
}

#[test]
fn buffers_of_very_many_ranges_are_used_as_far_as_one_call_goes() {
    let (mut bench, host) = modest(feature::MRG_RXBUF, QUEUE_SIZE);
    bench.drivers[0].add(&vec![Part::Writable(12); 256]).unwrap();
    let long = frame(0, 256 * 12, 0);
    host.send(&long).unwrap();
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(receive(&mut bench.drivers[0]).unwrap(), long);

    // Five chains of 200 ranges each, by indirect tables: four are as many as one call may take.
    let (net, mut hosts, _) = card(1);
    let mut bench = Bench::start(&mut Modest { net, without: 0, ring: QUEUE_SIZE }, EVENT_IDX | INDIRECT_DESC);
    let (table, host) = (crate::testkit::FOOTPRINT - 0x2000, hosts.remove(0));
    let range = Descriptor { address: table - 64, len: 12, flags: DESC_F_WRITE | DESC_F_NEXT, next: 0 };
    let entries = bench.ram.window(GuestAddress(table), 200 * 16).unwrap();
    for entry in 0..200_u16 {
        let flags = if entry == 199 { DESC_F_WRITE } else { range.flags };
        entries.write(16 * usize::from(entry), &Descriptor { flags, next: entry + 1, ..range });
    }
    for head in 0..5 {
        let chain = Descriptor { address: table, len: 200 * 16, flags: DESC_F_INDIRECT, next: 0 };
        bench.drivers[0].poke_descriptor(head, chain);
        bench.drivers[0].offer(head);
    }
    host.send(&frame(0, 3 * 2400 + 1, 0)).unwrap();
    host.send(&frame(0, 2400, 0)).unwrap();
    bench.workers[0].ready(PORT).unwrap();
    assert_eq!(bench.drivers[0].counters.requests.get(), 4, "the second frame waits for the longest to fit");
}

#[test]
fn the_configuration_says_address_link_pairs_and_mtu() {
    let (net, _, _) = card(3);
    assert_eq!(net.config(), [2, 0, 0, 0, 0, 1, 1, 0, 3, 0, 0xdc, 5]);
    assert_eq!(net.features() & (feature::MTU | feature::MQ | feature::CTRL_VQ), feature::MQ | feature::CTRL_VQ);
    assert_eq!(net.queue_sizes(), [256, 256, 256, 256, 256, 256, 16]);
    let (one, _, _) = card(1);
    assert_eq!((one.features() & (feature::MQ | feature::CTRL_VQ), one.queue_sizes().len()), (0, 2));
    let jumbo = Net::on_ports("net0", mac(), 9000, feature::OF_TAP, Vec::new());
    assert_eq!((jumbo.features() & feature::MTU, &jumbo.config()[10..]), (feature::MTU, &9000_u16.to_le_bytes()[..]));
}

#[test]
fn a_spec_has_defaults_and_no_other_words() {
    let spec: NetSpec = serde_json::from_str(r#"{"tap": "tap0"}"#).unwrap();
    assert_eq!(spec, NetSpec::on_tap("tap0"));
    let spec: NetSpec = serde_json::from_str(r#"{"tap": "tap0", "mac": "02:00:00:00:00:01", "queues": 2}"#).unwrap();
    assert_eq!((spec.mac, spec.queues), (Some(mac()), 2));
    assert!(serde_json::from_str::<NetSpec>(r#"{"tap": "tap0", "speed": 10}"#).is_err());
    assert!(serde_json::from_str::<NetSpec>(r#"{"tap": "tap0", "mac": "ff:ff:ff:ff:ff:ff"}"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_frame_arrives_whole_and_in_order(
        lengths in prop::collection::vec(HEADER..MAX_FRAME, 1..30),
        sizes in prop::collection::vec(512..5000_usize, 1..50),
        patience in 1..9_usize,
    ) {
        let (mut bench, host) = bench();
        let mut sizes = sizes.iter().cycle();
        let mut received = Vec::new();
        let sent: Vec<_> = lengths.iter().enumerate().map(|(seed, &length)| frame(0, length, seed)).collect();
        let mut waiting = sent.iter().peekable();
        let mut rounds = 0;
        while received.len() < sent.len() {
            rounds += 1;
            prop_assert!(rounds < 10_000, "frames are stuck");
            for _ in 0..patience {
                let Some(frame) = waiting.peek() else { break };
                if host.send(frame).is_err() { break; }
                waiting.next();
            }
            // Buffers come by and by, as from a driver that is behind.
            for _ in 0..patience * 7 {
                let driver = &mut bench.drivers[0];
                if driver.add(&[Part::Writable(*sizes.next().unwrap())]).is_none() { break; }
            }
            bench.workers[0].ready(PORT).unwrap();
            received.extend(all(&mut bench.drivers[0]));
        }
        prop_assert!(received == sent);
    }
}
