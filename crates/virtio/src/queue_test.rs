use super::*;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{FakeDriver, Part, ram};

fn pair(features: u64) -> (FakeDriver, Queue) {
    let ram = ram(8 << 20);
    let driver = FakeDriver::new(&ram, 0, 8, features);
    let queue = driver.queue();
    (driver, queue)
}

#[test]
fn a_request_goes_to_the_device_and_comes_back() {
    let (mut driver, mut queue) = pair(0);
    assert!(queue.pop().unwrap().is_none());
    let head = driver.add(&[Part::Readable(b"question"), Part::Writable(6)]).unwrap();
    let chain = queue.pop().unwrap().unwrap();
    let mut question = [0; 8];
    chain.readable.copy_to(0, &mut question).unwrap();
    assert_eq!(&question, b"question");
    chain.writable.copy_from(0, b"answer").unwrap();
    queue.complete(chain, 6);
    queue.signal();
    let used = driver.take_used().unwrap();
    assert_eq!((used.head, used.written, used.data.as_slice()), (head, 6, b"answer".as_slice()));
    assert_eq!(driver.take_interrupts(), 1);
}

/// § 2.7.5.1: they are the driver's.
#[test]
fn descriptors_and_readable_buffers_are_never_written() {
    let ram = ram(8 << 20);
    let mut driver = FakeDriver::new(&ram, 0, 8, EVENT_IDX);
    let mut queue = driver.queue();
    let (table, buffers) = (driver.setup().table, GuestAddress(0x10000));
    let bytes = |at| {
        let mut bytes = [0; 128];
        ram.read(at, &mut bytes).unwrap();
        bytes
    };
    for _ in 0..20 {
        driver.add(&[Part::Readable(b"question"), Part::Readable(b"again"), Part::Writable(6)]).unwrap();
        // The question of the first request stays in place.
        let before = (bytes(table), bytes(buffers)[..8].to_vec());
        let chain = queue.pop().unwrap().unwrap();
        chain.writable.copy_from(0, b"answer").unwrap();
        queue.complete(chain, 6);
        queue.signal();
        assert!((bytes(table), bytes(buffers)[..8].to_vec()) == before);
        driver.take_used().unwrap();
    }
}

#[test]
fn one_interrupt_tells_of_a_batch() {
    let (mut driver, mut queue) = pair(EVENT_IDX);
    for _ in 0..3 {
        driver.add(&[Part::Writable(1)]).unwrap();
    }
    while let Some(chain) = queue.pop().unwrap() {
        queue.complete(chain, 0);
    }
    queue.signal();
    queue.signal();
    assert_eq!((driver.take_interrupts(), driver.counters.requests.get()), (1, 3));
}

#[test]
fn the_driver_says_at_which_index_it_wants_an_interrupt() {
    let (mut driver, mut queue) = pair(EVENT_IDX);
    driver.set_used_event(1);
    for expected in [0, 1, 0] {
        driver.add(&[Part::Writable(1)]).unwrap();
        let chain = queue.pop().unwrap().unwrap();
        queue.complete(chain, 0);
        queue.signal();
        assert_eq!(driver.take_interrupts(), expected);
    }
    assert_eq!(driver.counters.suppressed.get(), 2);
}

#[test]
fn a_kick_is_asked_for_only_while_not_polling() {
    for features in [0, EVENT_IDX] {
        let (mut driver, mut queue) = pair(features);
        queue.disable_kicks();
        driver.add(&[Part::Writable(1)]).unwrap();
        assert!(!driver.kick_wanted(0));
        assert!(queue.enable_kicks(), "a chain arrived unannounced and must be reported");
        let chain = queue.pop().unwrap().unwrap();
        queue.complete(chain, 0);
        assert!(!queue.enable_kicks());
        driver.add(&[Part::Writable(1)]).unwrap();
        assert!(driver.kick_wanted(1));
    }
}

#[test]
fn a_queue_must_be_a_power_of_two_aligned_and_in_ram() {
    let (driver, _) = pair(0);
    let wiring = || Wiring { interrupt: Interrupt::none(), kick: driver.kick.clone(), counters: Arc::default() };
    let ram = ram(1 << 20);
    let good = driver.setup();
    assert!(good.build(&ram, 0, wiring()).is_ok());
    let broken = [
        QueueSetup { size: 0, ..good.clone() },
        QueueSetup { size: 3, ..good.clone() },
        QueueSetup { size: 16, ..good.clone() },
        QueueSetup { table: GuestAddress(8), ..good.clone() },
        QueueSetup { available: GuestAddress(1), ..good.clone() },
        QueueSetup { used: GuestAddress(2), ..good.clone() },
        QueueSetup { table: GuestAddress(!15), ..good.clone() },
        QueueSetup { used: GuestAddress(1 << 20), ..good },
    ];
    for setup in broken {
        assert!(setup.build(&ram, 0, wiring()).is_err(), "{setup:?}");
    }
}

#[test]
fn chains_that_belong_together_are_seen_together() {
    let (mut driver, mut queue) = pair(0);
    for _ in 0..2 {
        driver.add(&[Part::Writable(1)]).unwrap();
        let chain = queue.pop().unwrap().unwrap();
        queue.stage(chain, 1);
        assert!(driver.take_used().is_none());
    }
    queue.publish();
    assert_eq!(std::iter::from_fn(|| driver.take_used()).count(), 2);
}
