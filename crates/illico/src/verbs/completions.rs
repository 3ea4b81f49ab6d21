//! `illico completions`: what a shell needs to complete verbs and options.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::status::Status;
use crate::verbs::Cli;

pub const HELP: &str = "\
Examples:
  illico completions bash >~/.local/share/bash-completion/completions/illico
  illico completions zsh >~/.zfunc/_illico
  illico completions fish >~/.config/fish/completions/illico.fish";

/// Options of `illico completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the script for a shell.
pub fn run(options: &Completions) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "illico", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Status::Ended)
}
