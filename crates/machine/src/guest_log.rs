//! The log of a Linux guest, read out of its memory when it has ended.
//!
//! Linux keeps all that it ever said in a ring (kernel/printk/printk_ringbuffer.h, from 5.10 on), whether a console
//! shows it or not; so neither the guest nor its command line need to change for it to be known. The ring has no
//! address that we are told, but a shape:
//!
//! ```text
//! infos    { seq u64, ts_nsec u64, text_len u16, facility u8, flags and level u8, caller u32, device 64 bytes } x count
//! blocks   { id u64, text }, 8-byte aligned;  id of record number seq: 2^32 - count + seq
//! ```
//!
//! Places in a row whose numbers follow one another are infos; words that are ids of such records, with the next id behind
//! the text, are blocks. It is all the guest's to forge: what comes out is a list of bounded size with nothing promised
//! about its content, and what it takes to find it is bounded by `MAX_LOOKS`, whatever the guest left in its memory.

#![deny(clippy::arithmetic_side_effects)]

use std::cell::Cell;
use std::collections::HashMap;

use illico_memory::{GuestAddress, Ram};
use memchr::memmem;
use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use crate::boot::range::Range;

/// Where the guest's kernel may keep its log: in itself, or, if the command line asks for a larger one, in what it
/// allocates first, the end of memory.
pub fn places(ram: &Ram, kernel: Vec<Range>, command_line: &str) -> Vec<Range> {
    let mut places = kernel;
    if command_line.contains("log_buf_len=")
        && let Some(region) = ram.regions().last()
    {
        let end = region.start.0.saturating_add(region.window.len() as u64);
        let kernel = places.iter().map(|range| range.end).max().unwrap_or(0);
        places.push(Range { start: end.saturating_sub(MAX_AT_THE_END).max(region.start.0).max(kernel), end });
    }
    places
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Nanoseconds by the guest's clock.
    pub at: u64,
    /// What it says, at most `MAX_TEXT` bytes of it.
    pub text: Vec<u8>,
}

/// How much of the end of memory is searched for a log.
const MAX_AT_THE_END: u64 = 64 << 20;
/// Bytes of a line that are kept.
const MAX_TEXT: usize = 200;
/// `sizeof(struct printk_info)`
const INFO: usize = 88;
/// Records at most.
const MAX_RECORDS: usize = 1 << 15;
/// Infos in a row that cannot be chance.
const RUN: u64 = 16;
/// What is looked at of any one range.
const MAX_BYTES: u64 = 128 << 20;
/// Counts of records that kernels are built with: 2^LOG_BUF_SHIFT bytes, 32 for each.
const COUNT_BITS: std::ops::RangeInclusive<u32> = 7..=16;
/// Bytes by which a block may be longer than its text: what was cut off its end, and alignment.
const SLACK: usize = 32;
/// Places that are remembered for one id. Other words look like ids too.
const CANDIDATES: usize = 64;
/// Places that are remembered altogether, of 16 bytes each.
const MAX_PLACES: usize = 1 << 20;
/// Rows of infos that are tried, the longest first. A kernel has one; others are old ones, or forged.
const MAX_RUNS: usize = 4;
/// Words that are looked at one by one, which takes some nanoseconds each. A log of 5,000 lines takes 150,000.
const MAX_LOOKS: u64 = 16 << 20;

/// What an info says.
#[derive(Clone, Copy)]
struct Info {
    seq: u64,
    at: u64,
    len: usize,
}

/// What may still be looked at.
struct Budget(Cell<u64>);

impl Budget {
    fn new() -> Self {
        Self(Cell::new(MAX_LOOKS))
    }

    /// Takes a look. False once there were enough.
    fn spend(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

/// Finds the log in these ranges of the guest's memory; the longest one, if there are several.
pub fn find(ram: &Ram, ranges: &[Range]) -> Vec<Record> {
    find_within(ram, ranges, &Budget::new())
}

fn find_within(ram: &Ram, ranges: &[Range], budget: &Budget) -> Vec<Record> {
    let images: Vec<_> = ranges.iter().filter_map(|&range| image(ram, range)).collect();
    let mut runs: Vec<_> = images.iter().flat_map(|image| infos(image, budget)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.truncate(MAX_RUNS);
    if runs.is_empty() {
        return Vec::new();
    }
    let blocks = Blocks::of(&images, budget);
    runs.iter().map(|infos| blocks.records(infos)).max_by_key(Vec::len).unwrap_or_default()
}

fn image(ram: &Ram, range: Range) -> Option<Vec<u8>> {
    let len = range.end.saturating_sub(range.start).min(MAX_BYTES);
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    ram.read(GuestAddress(range.start), &mut bytes).ok()?;
    Some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    U64::read_from_prefix(bytes.get(at..)?).ok().map(|(word, _)| word.get())
}

/// Words that may be ids, with where they are.
struct Blocks<'a> {
    images: &'a [Vec<u8>],
    places: HashMap<u64, Vec<Place>>,
    budget: &'a Budget,
}

/// Which image, and where in it.
type Place = (usize, usize);

impl<'a> Blocks<'a> {
    fn of(images: &'a [Vec<u8>], budget: &'a Budget) -> Self {
        let mut places: HashMap<u64, Vec<Place>> = HashMap::new();
        let mut count = 0_usize;
        for (index, image) in images.iter().enumerate() {
            // The upper six bytes of an id, below and from 2^32 on.
            for upper in [[0xff, 0xff, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]] {
                for found in memmem::find_iter(image, &upper).take_while(|_| budget.spend()) {
                    let Some(at) = found.checked_sub(2).filter(|at| at % 8 == 0) else { continue };
                    let Some(id) = word(image, at) else { continue };
                    let places = places.entry(id).or_default();
                    if places.len() < CANDIDATES && count < MAX_PLACES {
                        places.push((index, at));
                        count = count.saturating_add(1);
                    }
                }
            }
        }
        Self { images, places, budget }
    }

    fn word(&self, (image, at): Place) -> Option<u64> {
        self.budget.spend().then_some(())?;
        word(self.images.get(image)?, at)
    }

    /// The block of the next id, right behind one with a text of `len` bytes.
    fn next(&self, (image, at): Place, len: usize, id: u64) -> Option<Place> {
        let behind = at.checked_add(8)?.checked_add(len)?.checked_next_multiple_of(8)?;
        (0..=SLACK)
            .step_by(8)
            .filter_map(|slack| Some((image, behind.checked_add(slack)?)))
            .find(|&place| self.word(place) == Some(id))
    }

    /// The records of which there is a text, in a ring of as many as fits them best.
    fn records(&self, infos: &[Info]) -> Vec<Record> {
        COUNT_BITS.map(|bits| self.records_of(bits, infos)).max_by_key(Vec::len).unwrap_or_default()
    }

    fn records_of(&self, bits: u32, infos: &[Info]) -> Vec<Record> {
        let Some(first) = 1u64.checked_shl(bits).and_then(|count| (1u64 << 32).checked_sub(count)) else {
            return Vec::new();
        };
        let (mut records, mut expected) = (Vec::new(), None);
        for (info, following) in infos.iter().zip(infos.iter().skip(1).map(Some).chain([None])) {
            let (id, next) = (first.saturating_add(info.seq), first.saturating_add(info.seq).saturating_add(1));
            let place = expected.take().or_else(|| {
                // A word that looks like an id is one if the next one is where it should be.
                let places = self.places.get(&id)?;
                let is_block = |place: &&Place| following.is_some() && self.next(**place, info.len, next).is_some();
                places.iter().find(is_block).copied()
            });
            let Some(place @ (image, at)) = place else { continue };
            expected = self.next(place, info.len, next);
            let start = at.saturating_add(8);
            let text =
                self.images.get(image).and_then(|image| image.get(start..start.checked_add(info.len.min(MAX_TEXT))?));
            records.extend(text.map(|text| Record { at: info.at, text: text.to_vec() }));
        }
        records
    }
}

/// The number of the second record, as it lies in memory.
const ONE: [u8; 8] = 1u64.to_le_bytes();

/// All places at which numbers follow one another as in infos.
fn infos(image: &[u8], budget: &Budget) -> Vec<Vec<Info>> {
    let ones = memmem::find_iter(image, &ONE).take_while(|_| budget.spend());
    ones.filter(|at| at % 8 == 0 && follows(image, *at, 1, budget)).map(|at| run(image, at, budget)).collect()
}

fn follows(image: &[u8], at: usize, seq: u64, budget: &Budget) -> bool {
    (1..RUN).all(|n| {
        let next = (n as usize).checked_mul(INFO).and_then(|step| at.checked_add(step));
        budget.spend() && next.and_then(|next| word(image, next)) == seq.checked_add(n)
    })
}

/// The infos from number 0 on, where number 1 is at `at`.
fn run(image: &[u8], at: usize, budget: &Budget) -> Vec<Info> {
    let mut infos = Vec::new();
    let Some(mut at) = at.checked_sub(INFO) else { return infos };
    while infos.len() < MAX_RECORDS
        && budget.spend()
        && let (Some(seq), Some(time), Some(rest)) =
            (word(image, at), word(image, at.saturating_add(8)), word(image, at.saturating_add(16)))
        && seq == infos.len() as u64
    {
        infos.push(Info { seq, at: time, len: usize::from(rest as u16) });
        at = at.saturating_add(INFO);
    }
    infos
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[path = "guest_log_test.rs"]
mod tests;
