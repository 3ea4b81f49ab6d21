//! `illico completions`: what a shell needs to complete verbs and options.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, Completions};
use crate::commands::Failure;
use crate::status::Status;

/// Prints the script for a shell.
pub fn run(options: &Completions) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "illico", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Status::Ended)
}
