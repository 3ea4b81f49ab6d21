//! Where RAM lies in the guest's physical address space: from 0 up to a hole below 4 GiB that
//! belongs to devices, and on from 4 GiB for the rest.

use crate::GuestAddress;

/// Where the hole for devices begins: 3 GiB.
pub const HOLE_START: GuestAddress = GuestAddress(0xc000_0000);
/// Where it ends and RAM goes on: 4 GiB.
pub const HOLE_END: GuestAddress = GuestAddress(0x1_0000_0000);

/// The ranges of guest physical addresses that are RAM, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    ranges: Vec<(GuestAddress, u64)>,
}

impl Layout {
    /// RAM of `size` bytes, split around the hole for devices.
    pub fn around_hole(size: u64) -> Self {
        let low = size.min(HOLE_START.0);
        let mut ranges = vec![(GuestAddress(0), low)];
        if size > low {
            ranges.push((HOLE_END, size - low));
        }
        Self { ranges }
    }

    /// One range from 0: what tests of rings and devices need.
    pub fn flat(size: u64) -> Self {
        Self { ranges: vec![(GuestAddress(0), size)] }
    }

    /// Each range as its start and its length in bytes.
    pub fn ranges(&self) -> &[(GuestAddress, u64)] {
        &self.ranges
    }

    /// The bytes of RAM in all ranges.
    pub fn size(&self) -> u64 {
        self.ranges.iter().map(|(_, len)| len).sum()
    }

    /// The first address after all RAM.
    pub fn end(&self) -> GuestAddress {
        self.ranges.last().map_or(GuestAddress(0), |(start, len)| GuestAddress(start.0 + len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_below_the_hole_is_one_range() {
        assert_eq!(Layout::around_hole(512 << 20).ranges(), [(GuestAddress(0), 512 << 20)]);
        assert_eq!(Layout::around_hole(3 << 30).ranges(), [(GuestAddress(0), 3 << 30)]);
    }

    #[test]
    fn ram_beyond_the_hole_goes_on_at_4_gib() {
        let layout = Layout::around_hole(5 << 30);
        assert_eq!(layout.ranges(), [(GuestAddress(0), 3 << 30), (GuestAddress(4 << 30), 2 << 30)]);
        assert_eq!((layout.size(), layout.end()), (5 << 30, GuestAddress(6 << 30)));
    }
}
