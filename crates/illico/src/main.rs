//! illico: starts a kernel in a microVM of its own, and shows where every VMEXIT went.
//!
//! This file reads the command line and turns what a verb answers into a status; each verb is a file
//! in `commands`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start threads as they like"))]
#![forbid(unsafe_code)]

mod budget;
mod bus_error;
mod cli;
mod commands;
mod comparison;
mod failure;
mod last_resort;
mod live;
mod naming;
mod output;
mod signals;
mod since;
mod status;
mod streams;
mod terminal;
mod timeline;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use illico_launch::{agent, session, signal_names, vms};

use crate::cli::{Cli, Verb};
use crate::status::Status;

fn main() -> ExitCode {
    let began = Instant::now();
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
                output::to_stderr(&format!("illico: {}\n", output::usage_line(&error.to_string())));
            }
            return Status::Failed.into();
        }
    };
    let done = match cli.verb {
        Verb::Boot(options) => commands::boot::run(&options, began),
        Verb::Run(options) => commands::run::run(&options, began),
        Verb::Exec(options) => commands::exec::run(&options),
        Verb::Logs(options) => commands::logs::run(&options),
        Verb::Cp(options) => commands::cp::run(&options),
        Verb::Ps(options) => commands::ps::run(&options),
        Verb::Inspect(options) => commands::inspect::run(&options),
        Verb::Wait(options) => commands::wait::run(&options),
        Verb::Stop(options) => commands::stop::run(&options),
        Verb::Kill(options) => commands::kill::run(&options),
        Verb::Rm(options) => commands::rm::run(&options),
        Verb::Completions(options) => commands::completions::run(&options),
        Verb::Man(options) => commands::man::run(&options),
        Verb::Top(options) => commands::top::run(&options),
        Verb::Exits(options) => commands::exits::run(&options),
        Verb::Stats(options) => commands::stats::run(&options),
        Verb::Diff(options) => commands::diff::run(&options),
        Verb::Images(options) => commands::images::list(&options),
        Verb::Pull(options) => commands::import::pull(&options),
        Verb::Import(options) => commands::import::run(&options),
        Verb::Rmi(options) => commands::images::remove(&options),
        Verb::Prune(options) => commands::images::prune(&options),
        Verb::Kernel(options) => commands::kernel::run(&options),
        Verb::Demo(options) => commands::demo::run(&options),
        Verb::Doctor(options) => commands::doctor::run(&options),
    };
    match done {
        Ok(status) => status.into(),
        Err(error) => {
            output::complain(error.as_ref());
            Status::Failed.into()
        }
    }
}
