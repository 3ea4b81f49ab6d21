//! The name of a machine: a file name that needs no quoting anywhere, and short enough for the paths of sockets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes at most: the path of a socket, which the name is part of, has 107.
const LONGEST: usize = 40;

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why it is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name for a machine: it takes 1 to {LONGEST} letters, digits, '.', '_', '-', a letter or digit first"
)]
pub struct NameError(String);

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if first && text.len() <= LONGEST && text.bytes().all(inner) { Ok(Self(text)) } else { Err(NameError(text)) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl Name {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An invented name that is not `taken`.
    pub fn invent(taken: impl Fn(&Self) -> bool) -> Self {
        for number in 1_u32.. {
            let word = |words: &[&'static str]| words[random() as usize % words.len()];
            let pair = format!("{}-{}", word(&ADJECTIVES), word(&NOUNS));
            // The more of them are taken, the longer they become.
            let name = Self(if number < 8 { pair } else { format!("{pair}-{number}") });
            if !taken(&name) {
                return name;
            }
        }
        unreachable!("there are more names than machines")
    }
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // It fails only before a host has any randomness. Then the first pair is as good as another.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    u32::from_ne_bytes(bytes)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const ADJECTIVES: [&str; 32] = [
    "agile", "amber", "brave", "brisk", "bright", "calm", "clear", "clever", "crisp", "deft", "eager", "early", "fair",
    "fleet", "fresh", "gentle", "keen", "light", "lively", "lucid", "merry", "neat", "nimble", "noble", "prompt",
    "quick", "quiet", "rapid", "sunny", "swift", "tidy", "vivid",
];

const NOUNS: [&str; 32] = [
    "alder", "badger", "beech", "birch", "brook", "cedar", "comet", "crane", "falcon", "fern", "finch", "fox", "hare",
    "hawk", "hazel", "heron", "lark", "linnet", "lynx", "maple", "marten", "otter", "owl", "plover", "poplar", "raven",
    "robin", "rowan", "swallow", "swift", "willow", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_file_name() {
        for name in ["a", "7", "web-1", "Db_2.test", &"x".repeat(40)] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", ".new", "-x", "_x", "a/b", "a b", "ä", "a\n", "a\0", &"x".repeat(41)] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_read_back_is_checked_like_what_is_typed() {
        assert!(serde_json::from_str::<Name>("\"../x\"").is_err());
        assert_eq!(serde_json::to_string(&"web".parse::<Name>().unwrap()).unwrap(), "\"web\"");
    }

    #[test]
    fn an_invented_name_is_not_taken_even_if_all_pairs_are() {
        let name = Name::invent(|name| name.as_str().matches('-').count() == 1);
        assert_eq!(name.as_str().matches('-').count(), 2);
        assert!(name.as_str().parse::<Name>().is_ok());
    }
}
