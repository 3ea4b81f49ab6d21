use std::sync::Mutex;

use super::*;
use crate::queue::Queue;
use crate::spec::feature::{EVENT_IDX, INDIRECT_DESC};
use crate::testkit::{FakeDriver, Part, ram};

/// A driver and its queue, and what is shown of it.
fn pair(features: u64, chains: u32) -> (FakeDriver, Queue, Arc<Mutex<String>>) {
    let ram = ram(8 << 20);
    let driver = FakeDriver::new(&ram, 0, 8, features);
    let shown = Arc::new(Mutex::new(String::new()));
    let out = Arc::clone(&shown);
    let sink: Sink = Arc::new(move |lines: &str| out.lock().unwrap().push_str(lines));
    let queue = driver.queue().traced(Tracer::new("disk0:0".into(), TraceSpec::new(None, chains, sink)));
    (driver, queue, shown)
}

fn serve(queue: &mut Queue, answer: &[u8]) {
    let chain = queue.pop().unwrap().unwrap();
    if !chain.writable.is_empty() {
        chain.writable.copy_from(0, answer).unwrap();
    }
    queue.complete(chain, answer.len() as u32);
    queue.signal();
}

#[test]
fn a_chain_is_shown_from_descriptor_to_interrupt() {
    let (mut driver, mut queue, shown) = pair(EVENT_IDX, 8);
    driver.add(&[Part::Readable(b"question"), Part::Writable(4)]).unwrap();
    serve(&mut queue, b"42\x1b[");
    let expected = "\
disk0:0 chain 1: available ring[0] = 1; idx 1, flags 0x0, used_event 0
  desc[1]: addr 0x10000, len 8, flags 0x1 NEXT, next 0
    0000  71 75 65 73 74 69 6f 6e                          question
  desc[0]: addr 0x10020, len 4, flags 0x2 WRITE
disk0:0 chain 1: used ring[0] = { id 1, len 4 }
  desc[0] now has
    0000  34 32 1b 5b                                      42.[
disk0:0: interrupt; used idx 1, flags 0x0, avail_event 0, used_event 0
";
    assert_eq!(*shown.lock().unwrap(), expected);
}

#[test]
fn an_indirect_table_is_followed() {
    let (mut driver, mut queue, shown) = pair(INDIRECT_DESC, 8);
    let table = 0x20_0000u64;
    let ram = queue.ram().clone();
    let entry = |n: u64, descriptor: Descriptor| {
        ram.window(GuestAddress(table + 16 * n), 16).unwrap().write(0, &descriptor);
    };
    entry(0, Descriptor { address: 0x30_0000, len: 3, flags: DESC_F_NEXT, next: 1 });
    entry(1, Descriptor { address: 0x30_1000, len: 1, flags: DESC_F_WRITE, next: 0 });
    driver.poke_descriptor(5, Descriptor { address: table, len: 32, flags: DESC_F_INDIRECT, next: 0 });
    driver.offer(5);
    serve(&mut queue, b"!");
    let shown = shown.lock().unwrap();
    for line in [
        "  desc[5]: addr 0x200000, len 32, flags 0x4 INDIRECT\n",
        "  indirect[0]: addr 0x300000, len 3, flags 0x1 NEXT, next 1\n    0000  00 00 00 ",
        "  indirect[1]: addr 0x301000, len 1, flags 0x2 WRITE\n",
        "  indirect[1] now has\n    0000  21 ",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
}

#[test]
fn there_is_an_end_to_it_that_outlives_a_reset() {
    let ram = ram(8 << 20);
    let shown = Arc::new(Mutex::new(String::new()));
    let out = Arc::clone(&shown);
    let spec = TraceSpec::new(None, 3, Arc::new(move |lines: &str| out.lock().unwrap().push_str(lines)));
    for _ in 0..4 {
        let mut driver = FakeDriver::new(&ram, 0, 8, 0);
        let mut queue = driver.queue().traced(Tracer::new("net0:1".into(), spec.clone()));
        for _ in 0..2 {
            driver.add(&[Part::Readable(b"x")]).unwrap();
            serve(&mut queue, b"");
            driver.take_used().unwrap();
        }
    }
    let shown = shown.lock().unwrap();
    assert_eq!(shown.matches("available ring").count(), 3, "{shown}");
    assert_eq!(shown.matches("used ring").count(), 3);
    assert!(shown.ends_with("net0:1: 3 chains were shown (--trace-chains N shows more)\n"), "{shown}");
}

#[test]
fn large_buffers_are_cut_and_chains_that_are_put_back_say_so() {
    let (mut driver, mut queue, shown) = pair(0, 8);
    driver.add(&[Part::Readable(&[b'a'; 4096])]).unwrap();
    let chain = queue.pop().unwrap().unwrap();
    queue.undo_pop(chain);
    serve(&mut queue, b"");
    let shown = shown.lock().unwrap();
    assert_eq!(shown.matches("    ... 4096 bytes in all\n").count(), 2, "{shown}");
    assert_eq!(shown.matches("chain 1: put back").count(), 1);
    assert!(shown.lines().all(|line| line.len() < 100), "{shown}");
}

#[test]
fn nothing_that_a_guest_writes_reaches_the_terminal() {
    let (mut driver, mut queue, shown) = pair(0, 8);
    let bytes: Vec<u8> = (0..=255).collect();
    for part in bytes.chunks(BYTES) {
        driver.add(&[Part::Readable(part)]).unwrap();
    }
    for _ in 0..8 {
        serve(&mut queue, b"");
    }
    assert!(shown.lock().unwrap().chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()));
}
