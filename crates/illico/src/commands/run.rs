//! `illico run`: a program in a kernel of its own, joined to this process as if it ran here.
//!
//! The machine is in this process: [`options`] makes a plan for the library that starts machines, and this file joins it to
//! the person's terminal, signals and files.

mod detach;
mod foreign;
mod options;
mod timeout;
mod words;

use std::io::{stderr, stdin};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use illico_launch::{Finished, Kernel, Outcome, Prepared, Streams, Supplies};
use illico_machine::timeline::timed;

use crate::cli::Run;
use crate::commands::accounting::Accounting;
use crate::commands::{Failure, exec};
use crate::session::Sinks;
use crate::signals::Event;
use crate::status::Status;
use crate::terminal::RawMode;
use crate::timeline::Recording;
use crate::{last_resort, naming, output, signals, streams};

/// Lines of the kernel's log that are shown where a guest ended before its command did.
const LAST_LINES: usize = 12;

/// Runs the command and waits for its end, or, with -d, for its beginning.
pub fn run(options: &Run, began: Instant) -> Result<Status, Failure> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let words = words::split(&options.words, &arguments)?;
    if let Some(kernel) = options.kernel.as_deref().filter(|kernel| foreign::is_foreign(kernel)) {
        return foreign::boot(options, kernel, &words, began);
    }
    if !options.detach {
        exec::needs_a_terminal(options.interactive, options.tty)?;
    } else if !options.is_detached {
        return detach::start(&arguments);
    } else {
        detach::leave_session()?;
    }
    let recording = Recording::begin(&options.timeline, began)?;
    // Before the options are looked at, since it takes time elsewhere; reported after what is wrong with them.
    let start = Some(illico_launch::begin());
    let mut plan = timed("decide on image, kernel and devices", || options::plan(options, words))?;
    if let Some(recording) = &recording {
        recording.ask_for_initcalls(&mut plan.config);
    }
    plan.config.check()?;
    let mut accounting = Accounting::asked(&options.accounting)?;
    accounting.create()?;
    let console = match options.verbose && !options.detach {
        true => Some(stderr().as_fd().try_clone_to_owned()?),
        false => None,
    };
    let prepared = plan.prepare(Supplies { start, console, ..Supplies::default() }).map_err(naming::of_run)?;
    live(options, prepared, accounting, recording)
}

/// From a machine that can run to its end.
fn live(
    options: &Run,
    prepared: Prepared,
    accounting: Accounting<'_>,
    mut recording: Option<Recording>,
) -> Result<Status, Failure> {
    accounting.check(prepared.machine())?;
    if let Some(recording) = &mut recording {
        recording.create()?;
    }
    let kernel = prepared.kernel().clone();
    let streams = Streams {
        input: if options.interactive && !options.detach { Some(streams::input()?) } else { None },
        sinks: if options.detach { Sinks::Kept(prepared.log()?) } else { streams::sinks()? },
    };
    let messages = prepared.folder().file("messages.log");
    let detached = options.detach.then(|| prepared.folder().record().name.clone());
    let begun = move || {
        if let Some(name) = detached
            && let Err(error) = detach::tell(&name, &messages)
        {
            output::say(&format!("-d: {error}"));
        }
    };
    let raw = if options.tty && options.interactive && !options.detach { RawMode::enter(stdin())? } else { None };
    let (handle, restore) = (prepared.handle(), raw.as_ref().map(RawMode::restorer));
    signals::watch(move |event| match event {
        Event::Resize(size) => handle.resize(size),
        Event::Signal(number) => {
            if handle.signal(number) {
                last_resort::end_process(128_u8.saturating_add(number), restore.clone());
            }
        }
    })?;
    let finished = prepared.run(streams, begun);
    // Before anything is printed.
    drop(raw);
    let finished = finished.map_err(naming::of_run)?;
    explain(&finished, &kernel);
    let report = finished.report.clone();
    let excess = accounting.excess(&report)?;
    let status = match finished.outcome.status() {
        0 if !excess.is_empty() => Status::OverBudget.code(),
        // How the command itself ended says more.
        status => status,
    };
    finished.record(status).map_err(naming::of_run)?;
    accounting.tell(&report, &excess)?;
    if let Some(recording) = recording {
        recording.finish()?;
    }
    Ok(Status::Command(status))
}

/// Prints why the machine ended, where the status alone does not say it.
fn explain(finished: &Finished, kernel: &Kernel) {
    match &finished.outcome {
        Outcome::Command(ending) => ending.reason().into_iter().for_each(output::say),
        Outcome::Forced(_) => {}
        outcome => {
            output::say(&outcome.to_string());
            show_last_lines(&finished.console_log());
            kernel.missing().iter().for_each(|missing| output::say(missing));
        }
    }
}

/// Shows the last lines of the log of the guest's kernel: they often say why there is no command.
fn show_last_lines(log: &Path) {
    let Ok(text) = std::fs::read(log) else { return };
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        output::say(&format!("guest: {line}"));
    }
}
