use illico_memory::{Layout, Pages};
use proptest::prelude::*;

use super::*;

const BASE: u64 = 16 << 20;
const RANGE: Range = Range { start: BASE, end: BASE + (2 << 20) };
const TEXT: u64 = 0x12_0000;
const COUNT: u64 = 4096;

/// A guest with a log as Linux leaves it: infos in one place, blocks elsewhere.
fn guest(lines: &[(u64, &str)]) -> Ram {
    let ram = Ram::new(&Layout::around_hole(32 << 20), Pages::Small).unwrap();
    let (infos, mut block) = (BASE + 0x1000, BASE + TEXT);
    for (seq, (at, text)) in lines.iter().enumerate() {
        let info = infos + INFO as u64 * seq as u64;
        ram.write(GuestAddress(info), &(seq as u64).to_le_bytes()).unwrap();
        ram.write(GuestAddress(info + 8), &at.to_le_bytes()).unwrap();
        ram.write(GuestAddress(info + 16), &(text.len() as u16).to_le_bytes()).unwrap();
        let id = (1u64 << 32) - COUNT + seq as u64;
        ram.write(GuestAddress(block), &id.to_le_bytes()).unwrap();
        ram.write(GuestAddress(block + 8), text.as_bytes()).unwrap();
        block += 8 + (text.len() as u64).next_multiple_of(8);
    }
    ram
}

fn lines() -> Vec<(u64, String)> {
    (0..40).map(|n| (n * 1000, format!("line number {n}"))).collect()
}

fn borrowed(lines: &[(u64, String)]) -> Vec<(u64, &str)> {
    lines.iter().map(|(at, text)| (*at, text.as_str())).collect()
}

#[test]
fn every_line_is_found_with_its_time() {
    let lines = lines();
    let found = find(&guest(&borrowed(&lines)), &[RANGE]);
    let expected: Vec<_> = lines.iter().map(|(at, text)| Record { at: *at, text: text.clone().into_bytes() }).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_line_whose_text_was_written_over_is_left_out() {
    let lines = lines();
    let ram = guest(&borrowed(&lines));
    ram.write(GuestAddress(BASE + TEXT), &[0xff; 8]).unwrap();
    let found = find(&ram, &[RANGE]);
    assert_eq!((found.len(), found[0].at), (39, 1000));
}

#[test]
fn numbers_that_look_like_ids_are_not_taken_for_ids() {
    let lines = lines();
    let ram = guest(&borrowed(&lines));
    for n in 0..40 {
        ram.write(GuestAddress(BASE + 0x10_0000 + 8 * n), &((1u64 << 32) - COUNT + n).to_le_bytes()).unwrap();
    }
    assert_eq!(find(&ram, &[RANGE])[7].text, b"line number 7");
}

#[test]
fn ids_go_on_beyond_the_count_of_the_ring() {
    let lines: Vec<_> = (0..5000).map(|n| (n, format!("{n}"))).collect();
    let ram = guest(&borrowed(&lines));
    assert_eq!(find(&ram, &[RANGE]).len(), 5000);
}

#[test]
fn a_guest_without_a_log_has_none() {
    assert_eq!(find(&guest(&[]), &[RANGE]), []);
    assert_eq!(find(&guest(&[(0, "too"), (1, "few")]), &[RANGE]), []);
    let outside = Range { start: 1 << 40, end: (1 << 40) + 4096 };
    assert_eq!(find(&guest(&borrowed(&lines())), &[outside]), []);
}

#[test]
fn lengths_that_lie_are_cut() {
    let lines = lines();
    let ram = guest(&borrowed(&lines));
    ram.write(GuestAddress(BASE + 0x1000 + INFO as u64 + 16), &u16::MAX.to_le_bytes()).unwrap();
    assert!(find(&ram, &[RANGE]).iter().all(|record| record.text.len() <= MAX_TEXT));
}

/// What finding the log takes, and how many records it has.
fn cost(ram: &Ram) -> (u64, usize) {
    let budget = Budget::new();
    let records = find_within(ram, &[RANGE], &budget).len();
    (MAX_LOOKS - budget.0.get(), records)
}

#[test]
fn an_honest_log_takes_a_hundredth_of_the_budget() {
    let lines: Vec<_> = (0..5000).map(|n| (n, format!("line {n}"))).collect();
    let (looks, records) = cost(&guest(&borrowed(&lines)));
    assert!(looks <= MAX_LOOKS / 100, "{looks}");
    assert_eq!(records, 5000);
}

#[test]
fn a_forged_log_costs_no_more_than_the_budget() {
    // Eleven interleaved rows of infos, and words that look like their ids all over the rest.
    let ram = guest(&[]);
    let (mut words, half) = (Vec::<u8>::new(), 1 << 20);
    let row_length = 256_u64;
    while words.len() < half {
        let (n, within) = (words.len() as u64 / 8, (words.len() / INFO) as u64 % row_length);
        words.extend(if n % 11 < 2 { within } else { 0xffff_0000 | (n % 7919) }.to_le_bytes());
    }
    while words.len() < 2 << 20 {
        let n = words.len() as u64 / 8;
        words.extend(((1_u64 << 32) - 65_536 + n % 1024).to_le_bytes());
    }
    ram.write(GuestAddress(BASE), &words).unwrap();
    let (looks, _) = cost(&ram);
    assert!(looks > 100_000, "{looks}: nothing was forged");
    assert!(looks <= MAX_LOOKS, "{looks}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_memory_does_harm(edits in prop::collection::vec((0u64..0x1000, any::<u64>()), 0..64)) {
        let lines = lines();
        let ram = guest(&borrowed(&lines));
        for (at, value) in edits {
            ram.write(GuestAddress(BASE + 0x1000 + 8 * at), &value.to_le_bytes()).unwrap();
        }
        prop_assert!(find(&ram, &[RANGE]).iter().all(|record| record.text.len() <= MAX_TEXT));
    }
}
