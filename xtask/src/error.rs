//! What can go wrong while preparing or running the lab: what was attempted, with its values.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot start `{command}`")]
    Start {
        command: String,
        #[source]
        source: io::Error,
    },
    #[error("`{command}` ended with {status}\n{stderr}")]
    Failed { command: String, status: ExitStatus, stderr: String },
    #[error("cargo built no program named {name}")]
    NoProgram { name: String },
    #[error("{0}")]
    Kernel(String),
    #[error(transparent)]
    Modules(#[from] illico_image::modules::ModulesError),
    #[error("the lab did not finish within {seconds} s; the end of its console:\n{console}")]
    LabTimeout { seconds: u64, console: String },
    #[error("the lab ended before its command did ({ended}); the end of its console:\n{console}{qemu}")]
    LabDied { ended: String, console: String, qemu: String },
    #[error("the lab has no {path}, which was to be brought back")]
    NotFetched { path: String },
    #[error("this is no line of an exit histogram (`code name count`): {line:?}")]
    ExitLine { line: String },
}

impl Error {
    /// For `map_err`: `fs::read(p).map_err(Error::file("read", p))`.
    pub(crate) fn file(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |source| Error::File { action, path, source }
    }
}

/// Runs a command to its end; its standard output, or an error that shows what it said on standard error.
pub(crate) fn output_of(command: &mut Command) -> Result<Vec<u8>, Error> {
    let words = describe(command);
    let output =
        command.stdin(Stdio::null()).output().map_err(|source| Error::Start { command: words.clone(), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Error::Failed { command: words, status: output.status, stderr })
}

/// A command as a person would type it, shortened where it names hundreds of files.
pub(crate) fn describe(command: &Command) -> String {
    let mut words = command.get_program().to_string_lossy().into_owned();
    for (number, argument) in command.get_args().enumerate() {
        if number == 12 {
            words.push_str(" …");
            break;
        }
        words.push(' ');
        words.push_str(&argument.to_string_lossy());
    }
    words
}
