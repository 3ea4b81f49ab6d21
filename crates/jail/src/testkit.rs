//! For tests: what must not happen to the process that tests runs in a child, which is this test's program again.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

/// Set in the child.
const CHILD: &str = "ILLICO_JAIL_CHILD";

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its status, or 128 and the signal that ended it.
    pub status: i32,
    /// What it wrote on standard error.
    pub said: String,
}

/// Runs `body` in a child of this process and returns how that ended: 0 where `body` returned. `test` is the full name
/// of the calling test.
pub fn in_child(test: &str, body: impl FnOnce()) -> Ended {
    if std::env::var_os(CHILD).is_some() {
        body();
        std::process::exit(0);
    }
    let program = std::env::current_exe().expect("the test's program");
    let mut child = Command::new(program);
    child.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    let Output { status, stderr, .. } = child.output().expect("a child");
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ended { status, said: String::from_utf8_lossy(&stderr).into_owned() }
}
