//! Digests of content, as the OCI image specification writes them ("Descriptors", section "Digests"): `sha256:` and 64
//! hexadecimal digits. SHA-512 is allowed there but unused in practice; it is refused.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Text that is not a valid digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a digest: expected 'sha256:' and 64 hexadecimal digits")]
pub struct NoDigest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hexadecimal digits alone, as names of files have them.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first twelve digits, which are enough for people.
    pub fn short(&self) -> String {
        self.0.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads the hexadecimal digits alone.
    pub fn from_hex(hex: &str) -> Result<Self, NoDigest> {
        let wrong = || NoDigest(hex.to_owned());
        // Upper case is not allowed, so that one content has one name.
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl From<Sha256> for Digest {
    fn from(sum: Sha256) -> Self {
        Self(sum.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| NoDigest(text.to_owned()))?;
        Self::from_hex(hex).map_err(|_| NoDigest(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Sums up what is read through it.
#[derive(Debug)]
pub struct Summed<R> {
    inner: R,
    sum: Sha256,
    len: u64,
}

impl<R> Summed<R> {
    /// Nothing is read yet.
    pub fn new(inner: R) -> Self {
        Self { inner, sum: Sha256::new(), len: 0 }
    }

    /// The digest of all that was read, and how much that was.
    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.sum.finalize().into()), self.len)
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sum.update(buffer.get(..count).unwrap_or_default());
        self.len = self.len.saturating_add(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
#[path = "digest_test.rs"]
mod tests;
