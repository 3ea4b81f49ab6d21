//! `illico top`: all running machines, looked at every few seconds.

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::show::live::Moment;
use crate::show::top::{json, screen, table};
use crate::status::Status;

pub const HELP: &str = "\
Keys: up and down (or k and j) choose a machine, q leaves.

Examples:
  illico top
  illico top --interval 5
  illico top --once
  illico top --json | jq --unbuffered '.machines[] | {name, exits}'

Status:
  0    you left, --once has printed, or the reader of --json has gone
  125  illico could not do what was asked";

/// Options of `illico top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Seconds between two looks, 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,

    /// Look twice, print the difference of all machines, and leave. This works without a terminal.
    #[arg(long)]
    pub once: bool,

    /// Print each look as a line of JSON (docs/watch.md has the fields), with --once a single one. This works without a
    /// terminal.
    #[arg(long)]
    pub json: bool,
}

/// Columns of what is printed where there is no terminal.
const WIDTH: usize = 120;

/// Shows or prints.
pub fn run(options: &Top) -> Result<Status, Failure> {
    let interval = Duration::from_secs(options.interval);
    if options.json {
        print_json(options)?;
    } else if options.once {
        let before = Moment::now()?;
        std::thread::sleep(interval);
        let rates = Moment::now()?.since(&before);
        let mut text = String::new();
        for line in table::all(&rates, WIDTH) {
            text.push_str(line.text.trim_end());
            text.push('\n');
        }
        output::print(&text)?;
    } else if stdin().is_terminal() && stdout().is_terminal() {
        screen::run(interval)?;
    } else {
        return Err(
            "top needs a terminal; print once with --once, for a program with --json, or collect with `illico stats`"
                .into(),
        );
    }
    Ok(Status::Ended)
}

/// A document for each sample but the first, until the reader has gone.
fn print_json(options: &Top) -> Result<(), Failure> {
    let mut before = Moment::now()?;
    loop {
        std::thread::sleep(Duration::from_secs(options.interval));
        let now = Moment::now()?;
        match output::print(&json::line(&now.since(&before), options.interval)) {
            Err(error) if output::is_unread(error.as_ref()) => return Ok(()),
            printed => printed?,
        }
        if options.once {
            return Ok(());
        }
        before = now;
    }
}
