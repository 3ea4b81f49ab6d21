//! Any order of what a driver may write to its rings and of what a device does with its queue: no
//! panic, no more chains in hand than entries, indices and notifications by the rules, errors that stay.

#![no_main]

use arbitrary::Arbitrary;
use illico_fuzz::ring::{Bench, Descriptor};
use illico_memory::Ram;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Plan {
    log_size: u8,
    features: u8,
    turn: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Descriptor(u8, Descriptor),
    Offer(u8),
    OfferAny(u16),
    Publish(u16),
    /// Many chains at once that are offered, taken and handed back: indices wrap.
    Run(u16),
    AvailableFlags(u16),
    UsedEvent(i8),
    Byte(u16, u8),
    Pop,
    Untake,
    Complete(u8, u32),
    Signal,
    EnableKicks,
    DisableKicks,
}

thread_local! {
    static MEMORY: Ram = Bench::ram();
}

fuzz_target!(|plan: Plan| {
    let bench = MEMORY.with(|ram| Bench::new(ram, plan.log_size, plan.features));
    let size = bench.size;
    let mut queue = bench.queue();
    let (mut hand, mut failed) = (Vec::new(), None);
    // What the device has taken, handed back, and told of.
    let (mut taken, mut done, mut told) = (0_u16, 0_u16, 0_u32);
    // All `Run`s together: rarely a little more than one turn of the indices, which takes its time.
    let mut runs = if plan.turn < 4 { 0x1_1000_u32 } else { 0x100 };
    for step in plan.steps.iter().take(300) {
        match *step {
            Step::Descriptor(n, descriptor) => {
                let at = bench.descriptor_at(u16::from(n) % size);
                bench.memory.copy_from(at as usize, &descriptor.bytes(size));
            }
            Step::Offer(head) => bench.offer(u16::from(head) % size),
            Step::OfferAny(head) => bench.offer(head),
            Step::Publish(index) => bench.publish(index),
            Step::Run(count) if hand.is_empty() && failed.is_none() && bench.available_index() == taken => {
                bench.memory.copy_from(bench.descriptor_at(0) as usize, &[0; 16]);
                let count = runs.min(count.into()) as u16;
                runs -= u32::from(count);
                for _ in 0..count {
                    bench.offer(0);
                    let chain = queue.pop().expect("a good chain").expect("one was offered");
                    queue.complete(chain, 0);
                }
                (taken, done) = (taken.wrapping_add(count), done.wrapping_add(count));
                told = told.saturating_add(count.into());
            }
            Step::AvailableFlags(flags) => bench.set_available_flags(flags),
            Step::UsedEvent(ahead) => bench.set_u16(bench.used_event_at(), done.wrapping_add_signed(ahead.into())),
            Step::Byte(at, byte) => bench.memory.copy_from(at.into(), &[byte]),
            Step::Pop | Step::Untake => match queue.pop() {
                Ok(Some(chain)) => {
                    assert!(failed.is_none() && bench.available_index() != taken);
                    assert_eq!(chain.head(), bench.u16(bench.available_entry_at(taken)));
                    if matches!(step, Step::Untake) {
                        queue.undo_pop(chain);
                    } else {
                        taken = taken.wrapping_add(1);
                        hand.push(chain);
                    }
                }
                Ok(None) => assert!(failed.is_none() && bench.available_index() == taken),
                Err(error) => assert_eq!(*failed.get_or_insert(error), error),
            },
            Step::Complete(which, written) if !hand.is_empty() => {
                let chain = hand.swap_remove(usize::from(which) % hand.len());
                let mut bytes = vec![0; chain.readable.len()];
                chain.readable.copy_to(0, &mut bytes).unwrap();
                chain.writable.copy_from(0, &vec![0x5a; chain.writable.len()]).unwrap();
                let head = chain.head();
                queue.complete(chain, written);
                assert_eq!(bench.used_entry(done), (head.into(), written));
                (done, told) = (done.wrapping_add(1), told + 1);
                assert_eq!(bench.used_index(), done);
            }
            Step::Signal => {
                let event = bench.u16(bench.used_event_at());
                let passed = |n: u32| done.wrapping_sub(n as u16).wrapping_sub(1) == event;
                let wanted = match bench.event_idx {
                    true => told > 0xffff || (0..told).any(passed),
                    false => told > 0 && !bench.no_interrupt(),
                };
                queue.signal();
                assert_eq!(bench.take_interrupts(), u64::from(wanted), "{told} completions, event {event}, index {done}");
                told = 0;
            }
            Step::EnableKicks => {
                let work = queue.enable_kicks();
                assert_eq!(work, failed.is_none() && bench.available_index() != taken);
                if bench.event_idx {
                    assert_eq!(bench.u16(bench.available_event_at()), taken);
                } else {
                    assert!(!bench.no_notify());
                }
            }
            Step::DisableKicks => {
                queue.disable_kicks();
                if bench.event_idx {
                    // The next chain, and all that fit behind it, pass no event.
                    let event = bench.u16(bench.available_event_at());
                    assert!(event.wrapping_sub(taken) >= size);
                } else {
                    assert!(bench.no_notify());
                }
            }
            Step::Run(_) | Step::Complete(..) => {}
        }
        assert!(hand.len() <= size.into(), "{} chains in hand of a ring of {size}", hand.len());
    }
});
