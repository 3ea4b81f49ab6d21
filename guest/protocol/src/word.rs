//! A word of a command line, an environment or a path: bytes, as the kernel has them.
//!
//! Most are UTF-8 and are written to JSON as strings. Those that are not become arrays of numbers instead of getting lost.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that the kernel takes as a string. None of them is NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Word(Vec<u8>);

impl Word {
    /// `None` if there is a NUL among the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.contains(&0)).then_some(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    pub fn as_path(&self) -> &Path {
        Path::new(self.as_os_str())
    }
}

/// What the word says up to its first NUL, as the kernel would read it.
fn until_nul(mut bytes: Vec<u8>) -> Word {
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(len);
    Word(bytes)
}

/// Ends at a NUL, if there is one.
impl From<&str> for Word {
    fn from(text: &str) -> Self {
        until_nul(text.into())
    }
}

/// Ends at a NUL, if there is one.
impl From<String> for Word {
    fn from(text: String) -> Self {
        until_nul(text.into())
    }
}

/// Ends at a NUL, if there is one.
impl From<OsString> for Word {
    fn from(text: OsString) -> Self {
        until_nul(text.into_vec())
    }
}

/// Ends at a NUL, if there is one.
impl From<&OsStr> for Word {
    fn from(text: &OsStr) -> Self {
        until_nul(text.as_bytes().to_owned())
    }
}

/// Ends at a NUL, if there is one.
impl From<&Path> for Word {
    fn from(path: &Path) -> Self {
        path.as_os_str().into()
    }
}

/// Ends at a NUL, if there is one.
impl From<PathBuf> for Word {
    fn from(path: PathBuf) -> Self {
        path.into_os_string().into()
    }
}

impl From<Word> for OsString {
    fn from(word: Word) -> Self {
        OsString::from_vec(word.0)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_os_str(), out)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_os_str().display().fmt(out)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => out.serialize_str(text),
            Err(_) => out.collect_seq(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Word;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string without NUL, or its bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Word, E> {
        Word::new(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut input: A) -> Result<Word, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = input.next_element()? {
            bytes.push(byte);
        }
        Word::new(bytes).ok_or_else(|| de::Error::custom("there is a NUL among the bytes"))
    }
}

#[cfg(test)]
#[path = "word_test.rs"]
mod tests;
