//! A MAC address as people write it, and one that is made from a name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The address of one network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

/// Not an address that a card can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Not six bytes in hexadecimal.
    #[error("'{0}' is not a MAC address such as 02:00:00:00:00:01")]
    Form(String),
    /// A group address, or all zeros.
    #[error("{0} cannot be the address of a card: its first byte must be even, and not all bytes zero")]
    NotACard(MacAddress),
}

impl MacAddress {
    /// A locally administered address that is the same whenever the name is.
    pub fn for_name(name: &str) -> Self {
        // FNV-1a: six bytes that differ wherever names do, which is all that is asked of them.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let [a, b, c, d, e, f, ..] = (hash ^ hash >> 32).to_be_bytes();
        // Bit 1 of the first byte: given by us and not by a maker. Bit 0: a group.
        Self([a & !0b11 | 0b10, b, c, d, e, f])
    }

    /// Its bytes as on the wire.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddress {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let form = || MacError::Form(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(part.ok_or_else(form)?, 16).map_err(|_| form())?;
        }
        if parts.next().is_some() {
            return Err(form());
        }
        let address = Self(bytes);
        if bytes[0] & 1 != 0 || bytes == [0; 6] {
            return Err(MacError::NotACard(address));
        }
        Ok(address)
    }
}

impl TryFrom<String> for MacAddress {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(address: MacAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
#[path = "mac_test.rs"]
mod tests;
