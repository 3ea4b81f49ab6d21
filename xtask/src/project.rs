//! The project's own programs: built by cargo, found where cargo says it put them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::error::output_of;

/// The workspace's root folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Which of cargo's profiles a program is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

/// Builds the program `illico` and returns its path.
pub fn illico(profile: Profile) -> Result<PathBuf, Error> {
    program("illico", "illico", profile)
}

/// Builds a program of the workspace and returns its path.
pub fn program(package: &str, name: &str, profile: Profile) -> Result<PathBuf, Error> {
    build(package, "--bin", name, profile)
}

/// Builds an example of a package and returns its path.
pub fn example(package: &str, name: &str, profile: Profile) -> Result<PathBuf, Error> {
    build(package, "--example", name, profile)
}

fn build(package: &str, kind: &str, name: &str, profile: Profile) -> Result<PathBuf, Error> {
    let mut command = cargo();
    command.args(["build", "--package", package, kind, name, "--message-format", "json-render-diagnostics"]);
    // A build may take minutes: cargo's progress goes where this process's own messages go.
    command.stderr(Stdio::inherit());
    if profile == Profile::Release {
        command.arg("--release");
    }
    let messages = output_of(&mut command)?;
    let program = String::from_utf8_lossy(&messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.ok_or_else(|| Error::NoProgram { name: name.to_owned() })
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo told this process about its own package would make build scripts that look at it run again, and with
    // them all that is built on theirs.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_")
            || name == "CARGO_MANIFEST_DIR"
            || name == "CARGO_MANIFEST_LINKS"
        {
            command.env_remove(name);
        }
    }
    command
}
