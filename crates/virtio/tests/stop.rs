//! A device that is stopped at any point and started again from where its queues stood completes every chain exactly
//! once, and moves every byte exactly once. (The fake driver refuses a chain that comes back twice.)

use std::io::{Read, Write, pipe};

use illico_virtio::console::Console;
use illico_virtio::device::{Device, DeviceSpec};
use illico_virtio::entropy::EntropySpec;
use illico_virtio::spec::feature::EVENT_IDX;
use illico_virtio::testkit::{Bench, Part};
use proptest::prelude::*;
use rustix::fs::{OFlags, fcntl_setfl};

fn used(bench: &mut Bench, queue: usize) -> usize {
    std::iter::from_fn(|| bench.drivers[queue].take_used()).count()
}

/// A reader that takes what there is.
fn drain(screen: &mut impl Read, into: &mut Vec<u8>) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = screen.read(&mut bytes) {
        into.extend_from_slice(&bytes[..count]);
    }
}

proptest! {
    #[test]
    fn entropy_stopped_anywhere_completes_each_request_once(steps in proptest::collection::vec(0_u8..4, 1..80)) {
        let mut device: Box<dyn Device> = EntropySpec {}.open("entropy").unwrap();
        let mut bench = Bench::start(device.as_mut(), EVENT_IDX);
        let (mut asked, mut done) = (0, 0);
        for step in steps {
            match step {
                0 | 1 => asked += usize::from(bench.drivers[0].add(&[Part::Writable(32)]).is_some()),
                2 => drop(bench.workers[0].ready(0).unwrap()),
                _ => drop(bench.stop_and_go_on(device.as_mut())),
            }
            done += used(&mut bench, 0);
        }
        bench.workers[0].ready(0).unwrap();
        prop_assert_eq!(done + used(&mut bench, 0), asked);
    }

    /// The pipe is full most of the time, so chains are stopped in the middle.
    #[test]
    fn a_console_stopped_anywhere_writes_each_byte_once(
        steps in proptest::collection::vec((0_u8..6, 1_usize..50_000), 1..40),
    ) {
        let ((input, _person), (mut screen, output)) = (pipe().unwrap(), pipe().unwrap());
        fcntl_setfl(&screen, OFlags::NONBLOCK).unwrap();
        let mut device = Console::open(input.into(), output.into(), None).unwrap();
        let mut bench = Bench::start(&mut device, EVENT_IDX);
        let (mut sent, mut seen, mut asked, mut done) = (Vec::new(), Vec::new(), 0, 0);
        for (step, length) in steps {
            match step {
                0 | 1 => {
                    let bytes: Vec<u8> = (0..length).map(|n| (n + sent.len()) as u8).collect();
                    // Less than the driver's memory in flight, whose places are used again.
                    if asked - done < 16 && bench.drivers[1].add(&[Part::Readable(&bytes)]).is_some() {
                        asked += 1;
                        sent.extend(bytes);
                    }
                }
                2 | 3 => drop(bench.workers[1].ready(0).unwrap()),
                4 => drain(&mut screen, &mut seen),
                _ => drop(bench.stop_and_go_on(&mut device)),
            }
            done += used(&mut bench, 1);
        }
        while done < asked {
            bench.workers[1].ready(0).unwrap();
            drain(&mut screen, &mut seen);
            done += used(&mut bench, 1);
        }
        drain(&mut screen, &mut seen);
        prop_assert!(seen == sent, "{} bytes of {}", seen.len(), sent.len());
    }

    #[test]
    fn console_input_stopped_anywhere_arrives_once(steps in proptest::collection::vec(0_u8..5, 1..60)) {
        let ((input, mut person), (_screen, output)) = (pipe().unwrap(), pipe().unwrap());
        let mut device = Console::open(input.into(), output.into(), None).unwrap();
        let mut bench = Bench::start(&mut device, EVENT_IDX);
        let (mut typed, mut seen) = (Vec::new(), Vec::new());
        for step in steps.into_iter().chain([0, 4, 1, 0, 0]) {
            match step {
                0 => drop(bench.drivers[0].add(&[Part::Writable(16)])),
                1 => {
                    // The file is the second source.
                    bench.workers[0].ready(1).unwrap();
                }
                2 | 3 => {
                    let key = [typed.len() as u8];
                    person.write_all(&key).unwrap();
                    typed.extend(key);
                }
                _ => drop(bench.stop_and_go_on(&mut device)),
            }
            while let Some(used) = bench.drivers[0].take_used() {
                seen.extend_from_slice(&used.data[..used.written as usize]);
            }
        }
        for _ in 0..typed.len() {
            bench.drivers[0].add(&[Part::Writable(16)]);
            bench.workers[0].ready(1).unwrap();
            while let Some(used) = bench.drivers[0].take_used() {
                seen.extend_from_slice(&used.data[..used.written as usize]);
            }
        }
        prop_assert_eq!(seen, typed);
    }
}
