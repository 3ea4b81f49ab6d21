#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;

#[test]
fn blocks_are_given_out_in_a_row() {
    let mut extents = Extents::from(1);
    assert_eq!((extents.take(3), extents.take(1), extents.end()), (1, 4, 5));
}

#[test]
fn large_files_are_aligned_and_small_ones_fill_the_gap() {
    let mut extents = Extents::from(1);
    assert_eq!(extents.take(512), 512);
    assert_eq!(extents.take(700), 1024);
    assert_eq!((extents.take(10), extents.take(500)), (1, 11));
    assert_eq!(extents.end(), 1724);
}

#[test]
fn what_is_given_back_is_used_again() {
    let mut extents = Extents::from(0);
    let (a, b, c) = (extents.take(4), extents.take(4), extents.take(4));
    extents.give(a, 4);
    extents.give(c, 4);
    extents.give(b, 4);
    assert_eq!((extents.take(12), extents.end()), (0, 12));
}

proptest! {
    /// However blocks come and go, none belongs to two, and none is lost.
    #[test]
    fn no_block_belongs_to_two(steps in proptest::collection::vec((1_u64..1200, any::<prop::sample::Index>(), any::<bool>()), 1..40)) {
        let mut extents = Extents::from(1);
        let mut taken: Vec<(u64, u64)> = Vec::new();
        for (count, index, take) in steps {
            if take || taken.is_empty() {
                let start = extents.take(count);
                prop_assert!(start >= 1 && start + count <= extents.end());
                prop_assert!(count < 512 || start.is_multiple_of(512));
                prop_assert!(taken.iter().all(|&(other, len)| start + count <= other || other + len <= start));
                taken.push((start, count));
            } else {
                let (start, count) = taken.swap_remove(index.index(taken.len()));
                extents.give(start, count);
            }
        }
        let used: u64 = taken.iter().map(|&(_, count)| count).sum();
        let free: u64 = extents.by_start.values().sum();
        prop_assert_eq!(1 + used + free, extents.end());
        prop_assert_eq!(extents.by_start.len(), extents.by_len.len());
    }
}
