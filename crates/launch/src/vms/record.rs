//! `vm.json` and `ended.json`: what was asked for, and how it ended (docs/run.md has the fields).

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use illico_machine::config::Config;
use serde::{Deserialize, Serialize};

use super::Name;

/// Name and version of the two.
pub const SCHEMA: &str = "illico-vm/1";

/// `vm.json`: written once, before the folder has its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// `SCHEMA`.
    pub schema: String,
    /// The name of the machine and of its folder.
    pub name: Name,
    /// The process that runs it. It is this one only while the lock is held.
    pub pid: i32,
    /// Since when, in milliseconds since 1970.
    pub created_ms: u64,
    /// The folder of its sockets, which is there only if it has any.
    pub sockets: PathBuf,
    /// What the person wanted.
    #[serde(flatten)]
    pub asked: Asked,
}

/// What the person wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Which verb made it.
    pub verb: Verb,
    /// The image that it runs, if any.
    pub image: Option<String>,
    /// The command in it.
    pub command: Vec<String>,
    /// Ports of the host that lead into it.
    pub ports: Vec<String>,
    /// Whether its folder goes with its end.
    pub remove: bool,
    /// The machine.
    pub config: Config,
}

/// The verb that made a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// A kernel, option by option: no agent in it.
    Boot,
    /// A program, with illico's own PID 1.
    Run,
}

impl Record {
    pub(super) fn now(name: Name, sockets: PathBuf, asked: Asked) -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self { schema: SCHEMA.to_owned(), name, pid, created_ms: now_ms(), sockets, asked }
    }
}

/// `ended.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The status that illico ended with.
    pub status: u8,
    /// Why, in words.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub ended_ms: u64,
}

impl Ended {
    /// That it ended now.
    pub fn now(status: u8, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), ended_ms: now_ms() }
    }
}

/// What the clock of the host says.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
