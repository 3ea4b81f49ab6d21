//! Resource limits of a command: setrlimit(2), written as `docker run --ulimit` takes them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A resource that the kernel limits for each process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    As,
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// A limit of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub resource: Resource,
    /// What the kernel enforces; `None` is no limit.
    pub soft: Option<u64>,
    /// How far a process may raise `soft` itself; `None` is no limit.
    pub hard: Option<u64>,
}

/// A text that is no [`Limit`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    #[error("{0:?} is not of the form NAME=SOFT[:HARD], such as nofile=1024:4096")]
    Form(String),
    #[error("there is no limit {name:?}; there are {}", names())]
    Name { name: String },
    #[error("{0:?} is neither a number nor -1 for no limit")]
    Value(String),
    #[error("the soft limit {soft} is above the hard limit {hard}")]
    Order { soft: String, hard: String },
}

const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

fn names() -> String {
    NAMES.map(|(name, _)| name).join(", ")
}

/// `NAME=SOFT[:HARD]`; the hard limit is the soft one if it is not given, and -1 is no limit.
impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let (name, values) = text.split_once('=').ok_or_else(|| LimitError::Form(text.to_owned()))?;
        let known = NAMES.iter().find(|(known, _)| *known == name);
        let (_, resource) = known.ok_or_else(|| LimitError::Name { name: name.to_owned() })?;
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let order = || LimitError::Order { soft: soft.to_owned(), hard: hard.to_owned() };
        let limit = Self { resource: *resource, soft: value(soft)?, hard: value(hard)? };
        if limit.soft.unwrap_or(u64::MAX) > limit.hard.unwrap_or(u64::MAX) {
            return Err(order());
        }
        Ok(limit)
    }
}

fn value(text: &str) -> Result<Option<u64>, LimitError> {
    if text == "-1" || text == "unlimited" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| LimitError::Value(text.to_owned()))
}

#[cfg(test)]
#[path = "limit_test.rs"]
mod tests;
