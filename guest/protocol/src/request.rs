//! What the host may ask of the agent.

use serde::{Deserialize, Serialize};

use crate::{Limit, WindowSize, Word};

/// What a connection to the agent is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Runs one more command.
    Exec(Exec),
    /// Sends this signal to the first command and its process group.
    Signal(u8),
    /// Writes the files of the archive that follows (`Data`, `DataEnd`), as `docker cp` does: into `path` if that is a
    /// folder; else the archive's one topmost entry gets the name `path`, whose parent must exist.
    CopyIn { path: Word },
    /// Sends an archive of `path`, file or folder, whose names begin with the last name of `path`. The guest may be
    /// hostile: the host checks every name in it before unpacking.
    CopyOut { path: Word },
    /// Sets the clock, as time since 1970 began.
    Time { seconds: u64, nanoseconds: u32 },
    /// Ends all programs, writes back what is on disks and powers off. The guest may be gone before it answers.
    Shutdown,
}

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program, sought in the command's own `PATH` if it has no slash, and its arguments.
    pub command: Vec<Word>,
    /// `NAME=VALUE`. What is missing of `PATH`, `HOME` and, on a terminal, `TERM` is added. A later command has the
    /// first one's environment too, below its own.
    #[serde(default)]
    pub env: Vec<Word>,
    /// The working directory: made if missing for the first command. Default: `/`, or that of the first command.
    #[serde(default)]
    pub cwd: Option<Word>,
    /// `user`, `user:group`, `:group`, or numbers in their places; names are those of the guest's `/etc/passwd` and
    /// `/etc/group`. Default: root, or that of the first command.
    #[serde(default)]
    pub user: Option<String>,
    /// On a terminal of this size of its own, or on pipes.
    #[serde(default)]
    pub terminal: Option<WindowSize>,
    /// Whether standard input follows in frames. Without, it is `/dev/null` (a terminal simply gets nothing typed).
    #[serde(default)]
    pub stdin: bool,
    /// Limits other than those of PID 1, which raises its number of open files to 1,048,576. A later command has the first
    /// one's too, unless it has one of its own for the resource. Left out where there are none, so that an agent
    /// from before there were any still understands the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
}

impl Exec {
    /// This command with nothing special about it: as root in `/`, on pipes, without input.
    pub fn new<W: Into<Word>>(command: impl IntoIterator<Item = W>) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self { command, env: Vec::new(), cwd: None, user: None, terminal: None, stdin: false, limits: Vec::new() }
    }
}
