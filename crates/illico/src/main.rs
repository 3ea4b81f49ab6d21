//! illico: starts a kernel in a microVM of its own, and shows where every VMEXIT went.
//!
//! This file reads the command line and turns what a verb answers into a status; each verb is a file
//! in `commands`.

#![forbid(unsafe_code)]

mod budget;
mod cli;
mod commands;
mod output;
mod status;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Verb};
use crate::status::Status;

fn main() -> ExitCode {
    illico_memory::share_one_arena();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no mistake; help also answers who asks for nothing.
            if !error.use_stderr() {
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                let _ = error.print();
            } else {
                eprintln!("illico: {}", output::usage_line(&error.to_string()));
            }
            return Status::Failed.into();
        }
    };
    let done = match cli.verb {
        Verb::Boot(options) => commands::boot::run(&options),
        Verb::Doctor(options) => commands::doctor::run(&options),
    };
    match done {
        Ok(status) => status.into(),
        Err(error) => {
            for line in output::error_lines(error.as_ref()) {
                eprintln!("illico: {line}");
            }
            Status::Failed.into()
        }
    }
}
