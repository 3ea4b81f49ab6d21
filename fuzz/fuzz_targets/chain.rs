//! One chain of any descriptors, walked by the device and once more here, by the text of the
//! specification: both find the same bytes, or both refuse.

#![no_main]

use arbitrary::Arbitrary;
use illico_fuzz::ring::{Bench, Descriptor, LISTS, LOW};
use illico_memory::Ram;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Plan {
    log_size: u8,
    features: u8,
    table: Vec<Descriptor>,
    lists: Vec<(u8, Descriptor)>,
    head: u8,
}

thread_local! {
    static MEMORY: Ram = Bench::ram();
}

/// Addresses of what the device may read and may write, or `None` for a chain that breaks a rule.
fn reference(bench: &Bench, head: u16) -> Option<(Vec<u64>, Vec<u64>)> {
    let in_ram = |at: u64, len: u64| len == 0 || at.checked_add(len).is_some_and(|end| end <= LOW);
    let (mut readable, mut writable) = (Vec::new(), Vec::new());
    let mut table = (bench.descriptor_at(0), u64::from(bench.size), false);
    let (mut index, mut buffers) = (u64::from(head), 0);
    loop {
        let (start, entries, indirect) = table;
        if index >= entries || !in_ram(start + 16 * index, 16) {
            return None;
        }
        let bytes: [u8; 16] = bench.bytes(start + 16 * index);
        let address = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let len = u64::from(u32::from_le_bytes(bytes[8..12].try_into().unwrap()));
        let (next, write, points) = (bytes[12] & 1 != 0, bytes[12] & 2 != 0, bytes[12] & 4 != 0);
        if points {
            let fine = bench.indirect && !indirect && !next && len > 0 && len % 16 == 0 && len / 16 <= 0xffff;
            if !fine || !in_ram(address, len) {
                return None;
            }
            // The ring's own descriptors before the table count, the pointer does not.
            if buffers == u64::from(bench.size) {
                return None;
            }
            table = (address, len / 16, true);
            index = 0;
            continue;
        }
        buffers += 1;
        if buffers > u64::from(bench.size) || !in_ram(address, len) {
            return None;
        }
        if write {
            writable.extend(address..address + len * u64::from(len > 0));
        } else if writable.is_empty() {
            readable.extend(address..address + len);
        } else {
            return None;
        }
        if !next {
            return Some((readable, writable));
        }
        index = u64::from(u16::from_le_bytes([bytes[14], bytes[15]]));
    }
}

fuzz_target!(|plan: Plan| {
    let bench = MEMORY.with(|ram| Bench::new(ram, plan.log_size, plan.features));
    for (index, descriptor) in plan.table.iter().take(bench.size.into()).enumerate() {
        bench.memory.copy_from(bench.descriptor_at(index as u16) as usize, &descriptor.bytes(bench.size));
    }
    for &(at, descriptor) in plan.lists.iter().take(64) {
        bench.memory.copy_from(LISTS as usize + 16 * usize::from(at), &descriptor.bytes(16));
    }
    let head = if plan.head < 250 { u16::from(plan.head) % bench.size } else { u16::from(plan.head) };
    bench.offer(head);
    let expected = reference(&bench, head);
    let mut queue = bench.queue();
    let chain = match queue.pop() {
        Ok(chain) => chain.expect("one was offered"),
        Err(error) => {
            assert!(expected.is_none(), "{error}, but it breaks no rule");
            assert_eq!(queue.pop().unwrap_err(), error);
            return;
        }
    };
    let Some((readable, writable)) = expected else { panic!("a broken chain was taken: {chain:?}") };
    let image: [u8; LOW as usize] = bench.bytes(0);
    let mut bytes = vec![0; chain.readable.len()];
    chain.readable.copy_to(0, &mut bytes).unwrap();
    assert!(bytes.iter().eq(readable.iter().map(|&at| &image[at as usize])), "other bytes are read");
    assert_eq!(chain.writable.len(), writable.len());
    let answer: Vec<u8> = (0..writable.len()).map(|n| (n * 7 + 1) as u8).collect();
    chain.writable.copy_from(0, &answer).unwrap();
    let mut image = image;
    for (&at, &byte) in writable.iter().zip(&answer) {
        image[at as usize] = byte;
    }
    let now: [u8; LOW as usize] = bench.bytes(0);
    assert!(now == image, "other bytes are written");
});
