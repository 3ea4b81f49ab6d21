//! pax records: what an entry says about itself beyond its header (POSIX "pax Extended Header"), with the vendors' keys that
//! layers use: `SCHILY.xattr.` for extended attributes and `GNU.sparse.` for sparse files.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;

use super::TarError;
use crate::tree::Timestamp;

/// The records that matter here.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: Sparse,
}

/// What is said of a sparse file, in any of GNU's three versions.
#[derive(Debug, Clone, Default)]
pub(super) struct Sparse {
    /// Version 1.0: the map comes before the data.
    pub(super) major: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Offsets and lengths, one after the other.
    pub(super) map: Option<Vec<u64>>,
}

impl Records {
    /// Adds records to those that hold already.
    pub(super) fn parse(&mut self, mut bytes: &[u8]) -> Result<(), TarError> {
        while !bytes.is_empty() {
            let (record, rest) = split(bytes).ok_or(TarError::Pax)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or(TarError::Pax)?;
            let (key, value) = record.split_at_checked(equals).ok_or(TarError::Pax)?;
            self.add(key, value.get(1..).unwrap_or_default())?;
            bytes = rest;
        }
        Ok(())
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), TarError> {
        match key {
            b"path" => self.path = named(value)?,
            b"linkpath" => self.linkpath = named(value)?,
            b"size" => self.size = number(value)?,
            b"uid" => self.uid = id(value)?,
            b"gid" => self.gid = id(value)?,
            b"mtime" => self.mtime = time(value)?,
            b"GNU.sparse.major" => self.sparse.major = number(value)?,
            b"GNU.sparse.name" => self.sparse.name = named(value)?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.size = number(value)?,
            b"GNU.sparse.map" => {
                let numbers = value.split(|&byte| byte == b',').map(|one| number(one)?.ok_or(TarError::Sparse));
                self.sparse.map = Some(numbers.collect::<Result<_, _>>()?);
            }
            // Version 0.0 has a pair of records for each segment.
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                let one = number(value)?.ok_or(TarError::Sparse)?;
                self.sparse.map.get_or_insert_default().push(one);
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

/// The first record, "LENGTH KEY=VALUE\n", without its length and newline; and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&byte| byte == b' ')?;
    let len: usize = std::str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    let record = record.get(space.checked_add(1)?..)?.strip_suffix(b"\n")?;
    Some((record, rest))
}

/// An empty value takes back what an earlier header said.
fn named(value: &[u8]) -> Result<Option<Vec<u8>>, TarError> {
    if value.contains(&0) {
        return Err(TarError::Pax);
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

fn number(value: &[u8]) -> Result<Option<u64>, TarError> {
    if value.is_empty() {
        return Ok(None);
    }
    if !value.iter().all(u8::is_ascii_digit) {
        return Err(TarError::Number);
    }
    let text = std::str::from_utf8(value).map_err(|_| TarError::Number)?;
    Ok(Some(text.parse().map_err(|_| TarError::Number)?))
}

fn id(value: &[u8]) -> Result<Option<u32>, TarError> {
    number(value)?.map(u32::try_from).transpose().map_err(|_| TarError::Number)
}

/// Seconds with decimals, which may be negative.
fn time(value: &[u8]) -> Result<Option<Timestamp>, TarError> {
    if value.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(value).map_err(|_| TarError::Number)?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| TarError::Number)?;
    if !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TarError::Number);
    }
    let padded: String = decimals.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = padded.parse().map_err(|_| TarError::Number)?;
    // Before 1970, decimals count from the second below.
    if whole.starts_with('-') && nanoseconds > 0 {
        let seconds = seconds.checked_sub(1).ok_or(TarError::Number)?;
        return Ok(Some(Timestamp { seconds, nanoseconds: 1_000_000_000_u32.saturating_sub(nanoseconds) }));
    }
    Ok(Some(Timestamp { seconds, nanoseconds }))
}
