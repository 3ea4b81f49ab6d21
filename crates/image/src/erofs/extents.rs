//! Which blocks of an image are free. The same requests give the same answers, so that images can be compared.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::{BTreeMap, BTreeSet};

use super::{BLOCK, HUGE};

/// Blocks in a huge page.
const HUGE_BLOCKS: u64 = HUGE / BLOCK;

/// Free blocks, below the end and behind it.
#[derive(Debug)]
pub(super) struct Extents {
    end: u64,
    /// Length by start; never two that touch.
    by_start: BTreeMap<u64, u64>,
    /// Length and start: the smallest that is large enough is the one to use.
    by_len: BTreeSet<(u64, u64)>,
}

impl Extents {
    /// All blocks from `first` on are free.
    pub(super) fn from(first: u64) -> Self {
        Self { end: first, by_start: BTreeMap::new(), by_len: BTreeSet::new() }
    }

    /// Where the blocks begin of which none was ever given out.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Gives out `count` blocks in a row; such that huge pages fit where there is at least one.
    pub(super) fn take(&mut self, count: u64) -> u64 {
        let align = if count >= HUGE_BLOCKS { HUGE_BLOCKS } else { 1 };
        // With that many blocks there is an aligned start, wherever the gap begins.
        let enough = count.saturating_add(align).saturating_sub(1);
        if let Some(&(len, gap)) = self.by_len.range((enough, 0)..).next() {
            let start = gap.next_multiple_of(align);
            self.forget(gap, len);
            self.remember(gap, start.saturating_sub(gap));
            let behind = start.saturating_add(count);
            self.remember(behind, gap.saturating_add(len).saturating_sub(behind));
            return start;
        }
        let start = self.end.next_multiple_of(align);
        let gap = self.end;
        self.end = start.saturating_add(count);
        self.give(gap, start.saturating_sub(gap));
        start
    }

    /// Takes blocks back.
    pub(super) fn give(&mut self, mut start: u64, mut count: u64) {
        if count == 0 {
            return;
        }
        if let Some((&before, &len)) = self.by_start.range(..start).next_back()
            && before.saturating_add(len) == start
        {
            self.forget(before, len);
            start = before;
            count = count.saturating_add(len);
        }
        let behind = start.saturating_add(count);
        if let Some(&len) = self.by_start.get(&behind) {
            self.forget(behind, len);
            count = count.saturating_add(len);
        }
        self.remember(start, count);
    }

    fn remember(&mut self, start: u64, len: u64) {
        if len > 0 {
            self.by_start.insert(start, len);
            self.by_len.insert((len, start));
        }
    }

    fn forget(&mut self, start: u64, len: u64) {
        self.by_start.remove(&start);
        self.by_len.remove(&(len, start));
    }
}

#[cfg(test)]
#[path = "extents_test.rs"]
mod tests;
