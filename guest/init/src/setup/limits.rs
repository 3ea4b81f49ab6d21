//! Limits of PID 1, which every command inherits.

use rustix::process::{Resource, Rlimit, setrlimit};

/// As many open files as the kernel lets a process have (`fs.nr_open`), and as containers have. The kernel starts PID 1 with 1,024,
/// which a few hundred commands at once use up: each has four descriptors in the agent.
const MAX_FILES: u64 = 1 << 20;

/// Raises the number of open files. A kernel that refuses leaves it as it is, which is enough for one command.
pub(crate) fn raise() {
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(MAX_FILES), maximum: Some(MAX_FILES) });
}
