//! `-d`: the machine lives in a child, which says when the command runs.
//!
//! The child is this program with the same arguments and one more. It leads a session of its own, so that no terminal
//! ends it. Until the command runs it shares this process's standard error; then it says its name on its standard output,
//! a pipe, and lets go of both.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::failure::Failure;
use crate::output;
use crate::status::Status;
use crate::vms::Name;

/// Starts the child, and waits until it says its name or ends. `arguments` are those of this process.
pub fn start(arguments: &[OsString]) -> Result<Status, Failure> {
    let mut child = Command::new("/proc/self/exe")
        .arg("--is-detached")
        .args(arguments.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("-d: cannot start a process for the machine: {error}"))?;
    let mut name = String::new();
    if let Some(said) = &mut child.stdout {
        said.read_to_string(&mut name)?;
    }
    if !name.is_empty() {
        output::print(&name)?;
        return Ok(Status::Ended);
    }
    // It has said why.
    let status = child.wait()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(Status::Failed, Status::Command))
}

/// Leaves the session of the person, in the child.
pub fn leave_session() -> Result<(), Failure> {
    rustix::process::setsid().map_err(|error| format!("-d: cannot begin a session: {error}"))?;
    Ok(())
}

/// Where the child writes once the command runs. Opened before that: the thread that hears of it opens no files.
#[derive(Debug)]
pub struct Background {
    name: Name,
    messages: File,
    nowhere: File,
}

impl Background {
    /// What illico has to say then goes to `messages`.
    pub fn open(name: Name, messages: &Path) -> io::Result<Self> {
        let messages = File::options().create(true).append(true).open(messages)?;
        let nowhere = File::options().write(true).open("/dev/null")?;
        Ok(Self { name, messages, nowhere })
    }

    /// Says in the child that the command runs.
    pub fn enter(self) -> io::Result<()> {
        let Self { name, messages, nowhere } = self;
        let mut out = io::stdout();
        // The person who started it may have gone meanwhile.
        let _ = writeln!(out, "{name}").and_then(|()| out.flush());
        dup2_stderr(messages)?;
        dup2_stdout(nowhere)?;
        Ok(())
    }
}
