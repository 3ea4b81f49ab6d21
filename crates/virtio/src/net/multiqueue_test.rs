use super::test_card::{Modest, TX_KICK, card, frame, receive};
use super::worker::{CONTROL_KICK, PORT};
use super::*;
use crate::event_loop::Polling;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, Part, Used};

/// Sends a control command and gives the answer.
fn command(bench: &mut Bench, parts: &[Part<'_>]) -> Used {
    let driver = bench.drivers.last_mut().unwrap();
    driver.add(parts).unwrap();
    assert_eq!(bench.workers[0].ready(CONTROL_KICK).unwrap(), Polling::Sleep);
    bench.drivers.last_mut().unwrap().take_used().unwrap()
}

fn use_pairs(bench: &mut Bench, count: u16) -> Vec<u8> {
    command(bench, &[Part::Readable(&[4, 0]), Part::Readable(&count.to_le_bytes()), Part::Writable(1)]).data
}

const DONE: [u8; 1] = [0];
const REFUSED: [u8; 1] = [1];

#[test]
fn only_pairs_that_the_driver_uses_are_attached() {
    let (mut net, _hosts, told) = card(3);
    let mut bench = Bench::start(&mut net, EVENT_IDX);
    let attached = |index: usize| told[index].lock().unwrap().attached.clone();
    assert_eq!(bench.workers.len(), 3);
    assert_eq!((attached(0), attached(1), attached(2)), (vec![], vec![false], vec![false]), "one, at first");
    assert_eq!(use_pairs(&mut bench, 2), DONE);
    assert_eq!((attached(1), attached(2)), (vec![false, true], vec![false]));
    for wrong in [0, 4, u16::MAX] {
        assert_eq!(use_pairs(&mut bench, wrong), REFUSED);
    }
    assert_eq!((attached(1), attached(2)), (vec![false, true], vec![false]));

    // After a reset it is one again.
    let bench = Bench::start(&mut net, EVENT_IDX);
    assert_eq!((bench.workers.len(), attached(0), attached(1)), (3, vec![], vec![false, true, false]));
}

#[test]
fn commands_that_are_none_are_refused() {
    let (mut net, _hosts, _) = card(2);
    let mut bench = Bench::start(&mut net, EVENT_IDX);
    for bytes in [&[4, 1, 1, 0][..], &[0, 0, 1, 0], &[1, 0, 1, 0], &[4, 0, 1], &[4]] {
        assert_eq!(command(&mut bench, &[Part::Readable(bytes), Part::Writable(1)]).data, REFUSED, "{bytes:?}");
    }
    assert_eq!(command(&mut bench, &[Part::Writable(1)]).data, REFUSED);
    assert_eq!(command(&mut bench, &[Part::Readable(&[4, 0, 1, 0])]).written, 0, "no room for the answer");
}

#[test]
fn a_driver_of_one_pair_has_its_control_queue_behind_it() {
    let (net, hosts, told) = card(2);
    let mut bench = Bench::start(&mut Modest { net, without: feature::MQ, ring: QUEUE_SIZE }, EVENT_IDX);
    assert_eq!(bench.workers.len(), 1);
    bench.drivers.truncate(3);
    assert_eq!(use_pairs(&mut bench, 1), DONE);
    assert_eq!(use_pairs(&mut bench, 2), REFUSED);
    assert_eq!(told[1].lock().unwrap().attached, [false], "it is not attached");
    drop(hosts);
}

#[test]
fn each_pair_moves_its_own_frames() {
    let (mut net, hosts, _) = card(2);
    let mut bench = Bench::start(&mut net, EVENT_IDX);
    for _ in 0..64 {
        bench.drivers[2].add(&[Part::Writable(1526)]).unwrap();
    }
    hosts[1].send(&frame(0, 100, 7)).unwrap();
    bench.workers[1].ready(PORT).unwrap();
    assert_eq!(receive(&mut bench.drivers[2]).unwrap(), frame(0, 100, 7));
    bench.drivers[3].add(&[Part::Readable(&frame(0, 50, 0))]).unwrap();
    bench.workers[1].ready(TX_KICK).unwrap();
    assert_eq!(hosts[1].recv(&mut [0; 100]).unwrap(), 50);
}

#[test]
fn a_port_is_told_what_the_driver_agreed_to() {
    let start = |without| {
        let (net, _hosts, told) = card(1);
        Bench::start(&mut Modest { net, without, ring: QUEUE_SIZE }, 0);
        told[0].lock().unwrap().offloads.unwrap()
    };
    let all = Offloads { checksum: true, tso4: true, tso6: true, ecn: true, uso: false };
    assert_eq!(start(0), all);
    assert_eq!(start(feature::GUEST_CSUM), Offloads::default(), "nothing goes without checksums");
    let both = feature::GUEST_TSO4 | feature::GUEST_TSO6;
    assert_eq!(start(both), Offloads { checksum: true, ..Offloads::default() }, "ECN is for segments");
    assert_eq!(start(feature::GUEST_TSO4), Offloads { tso4: false, ..all });
    assert!(Offloads::agreed(feature::GUEST_CSUM | feature::USO).uso);
    assert!(!Offloads::agreed(feature::GUEST_CSUM | feature::GUEST_USO4).uso, "a tap has both or none");
}
