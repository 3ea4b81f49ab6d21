//! Virtqueue layouts. There is one: the split ring.

pub mod split;
