//! What the fuzz targets share: input that is nearly right.
//!
//! Random bytes hardly ever get past a magic number. These inputs are made from a plan that says what
//! is in a kernel, and then a few bytes are broken on purpose.

pub mod kernel;
pub mod ring;

use arbitrary::Arbitrary;

/// A few bytes that are not what they should be.
#[derive(Arbitrary, Debug)]
pub struct Broken {
    bytes: Vec<(u16, u8)>,
    cut: Option<u16>,
}

impl Broken {
    /// Breaks `bytes` in at most eight places, and may cut them off.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        for &(at, value) in self.bytes.iter().take(8) {
            let len = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(usize::from(at) % len) {
                *byte = value;
            }
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut.into());
        }
    }
}
