//! `illico top`: all running machines, looked at every few seconds.

mod rates;
mod screen;

use std::io::{IsTerminal, Write, stdin, stdout};
use std::time::Duration;

use crate::cli::Top;
use crate::commands::Failure;
use crate::output::top;
use crate::status::Status;

#[cfg(test)]
pub use rates::QueueRates;
pub use rates::{MachineRates, Moment, Shares, VcpuRates};

/// Columns of what is printed where there is no terminal.
const WIDTH: usize = 120;

/// Shows or prints.
pub fn run(options: &Top) -> Result<Status, Failure> {
    let interval = Duration::from_secs(options.interval);
    if options.once {
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
        return Err("top needs a terminal; print once with --once, or collect with `illico stats`".into());
    }
    Ok(Status::Ended)
}
