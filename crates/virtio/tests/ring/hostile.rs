//! Rings and tables of any bytes: never a panic, never without end, nothing outside of RAM, and an
//! error that stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use illico_memory::{GuestAddress, Window};
use illico_virtio::chain::RingError;
use illico_virtio::interrupt::Interrupt;
use illico_virtio::queue::{Queue, Wiring};
use illico_virtio::spec::feature::{EVENT_IDX, INDIRECT_DESC};
use proptest::prelude::*;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::driver::{Driver, RAM_SIZE};

const SIZE: u16 = 8;

/// A queue over memory that the test writes as it likes.
struct Victim {
    _driver: Driver,
    memory: Window,
    queue: Queue,
    interrupts: Arc<AtomicU64>,
    table: usize,
    available: usize,
    index: u16,
}

impl Victim {
    fn new(features: u64) -> Self {
        let driver = Driver::new(SIZE, false, 1);
        let setup = driver.setup();
        let memory = driver.ram(0).window(GuestAddress(0), RAM_SIZE).unwrap();
        let interrupts = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&interrupts);
        let interrupt = Interrupt::from_fn(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let kick = Arc::new(EventFd::new(EFD_NONBLOCK).unwrap());
        let queue = setup.build(driver.ram(0), features, Wiring { interrupt, kick, counters: Arc::default() }).unwrap();
        let (table, available) = (setup.table.0 as usize, setup.available.0 as usize);
        Self { _driver: driver, memory, queue, interrupts, table, available, index: 0 }
    }

    fn descriptor(&self, at: usize, (address, len, flags, next): (u64, u32, u16, u16)) {
        self.memory.copy_from(at, &address.to_le_bytes());
        self.memory.copy_from(at + 8, &len.to_le_bytes());
        self.memory.copy_from(at + 12, &flags.to_le_bytes());
        self.memory.copy_from(at + 14, &next.to_le_bytes());
    }

    fn offer(&mut self, head: u16) {
        self.memory.copy_from(self.available + 4 + 2 * usize::from(self.index % SIZE), &head.to_le_bytes());
        self.publish(self.index.wrapping_add(1));
    }

    fn publish(&mut self, index: u16) {
        self.index = index;
        self.memory.copy_from(self.available + 2, &index.to_le_bytes());
    }

    /// Offers head 0 after writing the first descriptors of the table, and takes it.
    fn chain_of(&mut self, descriptors: &[(u64, u32, u16, u16)]) -> Result<(usize, usize), RingError> {
        for (n, &descriptor) in descriptors.iter().enumerate() {
            self.descriptor(self.table + 16 * n, descriptor);
        }
        self.offer(0);
        let chain = self.queue.pop()?.unwrap();
        let lens = (chain.readable.len(), chain.writable.len());
        self.queue.complete(chain, 0);
        Ok(lens)
    }
}

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
const BUFFER: u64 = 0x2_0000;
const LIST: u64 = 0x3_0000;

#[test]
fn a_driver_has_no_more_chains_under_way_than_the_ring_has_entries() {
    let mut victim = Victim::new(0);
    for head in 0..SIZE {
        victim.offer(head);
    }
    let mut hand: Vec<_> = std::iter::from_fn(|| victim.queue.pop().unwrap()).collect();
    assert_eq!(hand.len(), usize::from(SIZE));
    // One comes back, one may come: all right. Another one has no descriptor to stand in.
    victim.queue.complete(hand.pop().unwrap(), 0);
    victim.offer(0);
    hand.push(victim.queue.pop().unwrap().unwrap());
    victim.offer(1);
    assert!(matches!(victim.queue.pop(), Err(RingError::IndexJump { completed: 1, .. })));
}

#[test]
fn an_index_that_goes_back_is_an_error_and_so_is_one_that_jumps() {
    for index in [0, 1, 3 + SIZE, 0x8000, 0xffff] {
        let mut victim = Victim::new(0);
        for head in 0..2 {
            victim.offer(head);
            let chain = victim.queue.pop().unwrap().unwrap();
            victim.queue.complete(chain, 0);
        }
        victim.publish(index);
        let error = victim.queue.pop().unwrap_err();
        assert!(matches!(error, RingError::IndexJump { .. }), "{index}: {error}");
        victim.publish(3);
        assert_eq!(victim.queue.pop().unwrap_err(), error, "a failed queue stays failed");
        assert!(!victim.queue.has_work());
        assert!(!victim.queue.enable_kicks());
    }
}

#[test]
fn the_interrupt_comes_after_any_number_of_completions() {
    for features in [0, EVENT_IDX] {
        for completions in [1_u32, 0xffff, 0x1_0000, 0x1_0001, 0x2_0000] {
            let mut victim = Victim::new(features);
            for _ in 0..completions {
                victim.offer(0);
                let chain = victim.queue.pop().unwrap().unwrap();
                victim.queue.complete(chain, 0);
            }
            victim.queue.signal();
            assert_eq!(victim.interrupts.load(Ordering::SeqCst), 1, "{completions} completions");
        }
    }
}

#[test]
fn each_way_to_break_a_chain_has_its_error() {
    let good = (BUFFER, 16, 0, 0);
    let far = (RAM_SIZE - 8, 16, 0, 0);
    type Chain = Vec<(u64, u32, u16, u16)>;
    let cases: Vec<(&str, u64, Chain, Chain)> = vec![
        ("NoSuchDescriptor", 0, vec![(BUFFER, 16, NEXT, SIZE)], vec![]),
        ("TooLong", 0, vec![(BUFFER, 16, NEXT, 0)], vec![]),
        ("TooLong", 0, vec![(BUFFER, 0, NEXT, 1), (BUFFER, 0, NEXT, 0)], vec![]),
        ("OutOfRam", 0, vec![far], vec![]),
        ("OutOfRam", 0, vec![(u64::MAX, 2, 0, 0)], vec![]),
        ("OutOfRam", 0, vec![(BUFFER, u32::MAX, 0, 0)], vec![]),
        ("ReadableAfterWritable", 0, vec![(BUFFER, 16, WRITE | NEXT, 1), good], vec![]),
        ("Indirect", 0, vec![(LIST, 16, INDIRECT, 0)], vec![good]),
        ("Indirect", INDIRECT_DESC, vec![(LIST, 0, INDIRECT, 0)], vec![good]),
        ("Indirect", INDIRECT_DESC, vec![(LIST, 17, INDIRECT, 0)], vec![good]),
        ("Indirect", INDIRECT_DESC, vec![(LIST, 16 << 16, INDIRECT, 0)], vec![good]),
        ("Indirect", INDIRECT_DESC, vec![(LIST, 16, INDIRECT | NEXT, 1), good], vec![good]),
        ("Indirect", INDIRECT_DESC, vec![(LIST, 16, INDIRECT, 0)], vec![(LIST, 16, INDIRECT, 0)]),
        ("Indirect", INDIRECT_DESC, vec![(LIST, 32, INDIRECT, 0)], vec![(BUFFER, 1, NEXT, 1), (LIST, 16, INDIRECT, 0)]),
        ("OutOfRam", INDIRECT_DESC, vec![(RAM_SIZE - 16, 32, INDIRECT, 0)], vec![]),
        ("OutOfRam", INDIRECT_DESC, vec![(u64::MAX - 15, 32, INDIRECT, 0)], vec![]),
        ("NoSuchDescriptor", INDIRECT_DESC, vec![(LIST, 16, INDIRECT, 0)], vec![(BUFFER, 1, NEXT, 1)]),
        ("TooLong", INDIRECT_DESC, vec![(LIST, 32, INDIRECT, 0)], vec![(BUFFER, 1, NEXT, 1), (BUFFER, 1, NEXT, 0)]),
    ];
    for (expected, features, chain, list) in cases {
        let mut victim = Victim::new(features);
        for (n, &descriptor) in list.iter().enumerate() {
            victim.descriptor(LIST as usize + 16 * n, descriptor);
        }
        let error = victim.chain_of(&chain).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{chain:?}, {list:?}: {error:?}");
        assert_eq!(victim.queue.pop().unwrap_err(), error);
        assert_eq!(victim.queue.pop().unwrap_err(), error);
    }
}

#[test]
fn a_head_outside_of_the_table_is_an_error() {
    for head in [SIZE, 0x8000, 0xffff] {
        let mut victim = Victim::new(0);
        victim.offer(head);
        assert_eq!(victim.queue.pop().unwrap_err(), RingError::NoSuchDescriptor { index: head, entries: SIZE });
    }
}

#[test]
fn a_chain_is_as_long_as_the_ring_and_no_longer() {
    for (entries, fits) in [(SIZE, true), (SIZE + 1, false)] {
        let mut victim = Victim::new(INDIRECT_DESC);
        for n in 0..entries {
            let next = if n + 1 < entries { NEXT } else { 0 };
            victim.descriptor(LIST as usize + 16 * usize::from(n), (BUFFER, 1, next, n + 1));
        }
        let lens = victim.chain_of(&[(LIST, 16 * u32::from(entries), INDIRECT, 0)]);
        assert_eq!(lens.is_ok(), fits, "{entries} entries: {lens:?}");
    }
}

/// Something a driver writes somewhere, mostly where it hurts.
#[derive(Debug, Clone)]
enum Blow {
    Descriptor(u16, (u64, u32, u16, u16)),
    Listed(u16, (u64, u32, u16, u16)),
    Offer(u16),
    Publish(u16),
    Byte(usize, u8),
}

fn descriptor() -> impl Strategy<Value = (u64, u32, u16, u16)> {
    let address = prop_oneof![
        4 => Just(BUFFER), 4 => Just(LIST), 2 => 0..RAM_SIZE + 64, 1 => any::<u64>(),
        1 => (0..64_u64).prop_map(|n| RAM_SIZE - n), 1 => (0..64_u64).prop_map(|n| u64::MAX - n),
    ];
    let len = prop_oneof![
        4 => 0..64_u32, 4 => (1..10_u32).prop_map(|n| 16 * n), 1 => any::<u32>(), 1 => Just(u32::MAX),
    ];
    let flags = prop_oneof![8 => 0..8_u16, 1 => any::<u16>()];
    let next = prop_oneof![8 => 0..SIZE + 1, 1 => any::<u16>()];
    (address, len, flags, next)
}

fn blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        6 => (0..SIZE, descriptor()).prop_map(|(n, with)| Blow::Descriptor(n, with)),
        4 => (0..SIZE + 2, descriptor()).prop_map(|(n, with)| Blow::Listed(n, with)),
        8 => prop_oneof![8 => 0..SIZE, 1 => any::<u16>()].prop_map(Blow::Offer),
        1 => any::<u16>().prop_map(Blow::Publish),
        2 => (0..0x1_0000_usize, any::<u8>()).prop_map(|(at, byte)| Blow::Byte(at, byte)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_driver_writes_the_queue_answers_and_stays_within_ram(
        features in prop::sample::select(vec![0, EVENT_IDX, INDIRECT_DESC, EVENT_IDX | INDIRECT_DESC]),
        rounds in prop::collection::vec((prop::collection::vec(blow(), 1..12), 0..4_usize), 1..8),
    ) {
        let mut victim = Victim::new(features);
        let mut hand = Vec::new();
        for (blows, keep) in rounds {
            for blow in blows {
                match blow {
                    Blow::Descriptor(n, with) => victim.descriptor(victim.table + 16 * usize::from(n), with),
                    Blow::Listed(n, with) => victim.descriptor(LIST as usize + 16 * usize::from(n), with),
                    Blow::Offer(head) => victim.offer(head),
                    Blow::Publish(index) => victim.publish(index),
                    Blow::Byte(at, byte) => victim.memory.copy_from(at, &[byte]),
                }
            }
            victim.queue.disable_kicks();
            let mut error = None;
            for turn in 0.. {
                prop_assert!(turn <= usize::from(SIZE), "a driver that does nothing gives no more than its ring");
                match victim.queue.pop() {
                    Ok(Some(chain)) => hand.push(chain),
                    Ok(None) => break,
                    Err(found) => {
                        error = Some(found);
                        break;
                    }
                }
            }
            prop_assert!(hand.len() <= usize::from(SIZE), "{} chains in hand", hand.len());
            for chain in hand.drain(..).skip(keep).collect::<Vec<_>>() {
                let mut bytes = vec![0; chain.readable.len()];
                chain.readable.copy_to(0, &mut bytes).unwrap();
                chain.writable.copy_from(0, &vec![0x11; chain.writable.len()]).unwrap();
                let written = chain.writable.len() as u32;
                victim.queue.complete(chain, written);
            }
            victim.queue.signal();
            if let Some(error) = error {
                prop_assert!(!victim.queue.enable_kicks());
                prop_assert_eq!(victim.queue.pop().unwrap_err(), error);
                break;
            }
            victim.queue.enable_kicks();
        }
    }
}
