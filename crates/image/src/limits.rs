//! How much an image may take, whatever it announces: archives of a few kilobytes can unpack to terabytes.

/// Bounds of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the unpacked image.
    pub unpacked: u64,
    /// Bytes of memory for names and attributes while it is unpacked.
    pub metadata: u64,
}

impl Limits {
    /// The default of `unpacked`: 64 GiB.
    pub const UNPACKED: u64 = 64 << 30;
    /// What `metadata` is: 1 GiB, enough for two million files.
    pub const METADATA: u64 = 1 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: Self::UNPACKED, metadata: Self::METADATA }
    }
}
