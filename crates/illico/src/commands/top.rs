//! `illico top`: all running machines, looked at every few seconds.

mod screen;

use std::io::{ErrorKind, IsTerminal, Write, stdin, stdout};
use std::time::Duration;

use crate::cli::Top;
use crate::commands::Failure;
use crate::live::Moment;
use crate::output::{top, top_json};
use crate::status::Status;

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
        for line in top::all(&rates, WIDTH) {
            text.push_str(line.text.trim_end());
            text.push('\n');
        }
        stdout().write_all(text.as_bytes())?;
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

/// A document for each look but the first, until nobody reads them any more.
fn print_json(options: &Top) -> Result<(), Failure> {
    let mut before = Moment::now()?;
    loop {
        std::thread::sleep(Duration::from_secs(options.interval));
        let now = Moment::now()?;
        match stdout().write_all(top_json::line(&now.since(&before), options.interval).as_bytes()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
        if options.once {
            return Ok(());
        }
        before = now;
    }
}
