//! illico: starts a kernel in a microVM of its own, and shows where every VMEXIT went.
//!
//! This file reads the command line and turns what a verb answers into a status; each verb is a file
//! in `verbs`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]
#![forbid(unsafe_code)]

mod budget;
mod bus_error;
mod comparison;
mod failure;
mod naming;
mod output;
mod show;
mod signals;
mod since;
mod status;
mod streams;
mod terminal;
mod verbs;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use illico_launch::{agent, session, signal_names, vms};

use crate::status::Status;
use crate::verbs::{Called, Cli};

fn main() -> ExitCode {
    let began = Instant::now();
    illico_memory::share_one_arena();
    let arguments: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
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
                output::to_stderr(&format!("illico: {}\n", output::usage_line(&error.to_string())));
            }
            return Status::Failed.into();
        }
    };
    let called = Called { began, arguments, is_detached: cli.is_detached };
    match cli.verb.run(&called) {
        Ok(status) => status.into(),
        Err(error) if output::is_unread(error.as_ref()) => Status::Unread.into(),
        Err(error) => {
            output::complain(error.as_ref());
            Status::Failed.into()
        }
    }
}
