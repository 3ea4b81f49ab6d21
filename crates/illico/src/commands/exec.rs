//! `illico exec`: one more command in a machine that runs.
//!
//! Signals are the command's once its agent has answered. Before that, and with a second SIGINT, SIGTERM or SIGHUP, they
//! end this process: an agent that does not answer cannot hold it.

use std::borrow::Cow;
use std::io::{IsTerminal, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use illico_launch::Environment;
use illico_protocol::{Exec, Frame, Request, Word};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::commands::Failure;
use crate::session::{self, Outbox};
use crate::signals::{self, Event};
use crate::status::Status;
use crate::terminal::RawMode;
use crate::vms::Vms;
use crate::{agent, cli, naming, output, streams};

/// Runs a command in a machine and joins it to this process.
pub fn run(options: &cli::Exec) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let mut environment = Environment::default();
    let added = environment.add(&[], &options.env, |name| std::env::var_os(name));
    added.map_err(|error| naming::of_plan(&error))?;
    if options.tty {
        environment.set_if_missing("TERM", std::env::var_os("TERM"));
    }
    let request = Request::Exec(Exec {
        env: environment.words(),
        cwd: options.workdir.clone().map(Word::from),
        user: options.user.clone(),
        terminal: options.tty.then(|| signals::window().unwrap_or(signals::UNSEEN)),
        stdin: options.interactive,
        limits: options.ulimit.clone(),
        ..Exec::new(options.command.iter().cloned())
    });
    needs_a_terminal(options.interactive, options.tty)?;
    let stream = agent::connect(&vm)?;
    let (outbox, waiting) = session::outbox();
    outbox.send(&Frame::Request(Cow::Owned(request)))?;
    let person = Person::default();
    person.clone().watch(outbox.clone())?;
    let input = if options.interactive { Some(streams::input()?) } else { None };
    let (raw, begins) = (options.tty && options.interactive, person.clone());
    let ending = session::carry(stream, waiting, &outbox, input, streams::sinks()?, move || begins.begin(raw));
    person.restore();
    let ending = ending?;
    if let Some(reason) = ending.reason() {
        output::say(reason);
    }
    Ok(Status::Command(ending.status()))
}

/// The person at this process: the terminal, and who gets the signals.
#[derive(Debug, Clone, Default)]
struct Person {
    begun: Arc<AtomicBool>,
    raw: Arc<Mutex<Option<RawMode>>>,
}

impl Person {
    /// The agent has answered: the terminal and signals are the command's.
    fn begin(&self, raw: bool) {
        self.begun.store(true, Ordering::SeqCst);
        if !raw {
            return;
        }
        match RawMode::enter(stdin()) {
            Ok(mode) => *self.raw.lock().unwrap_or_else(PoisonError::into_inner) = mode,
            Err(error) => output::say(&format!("-t: cannot make the terminal raw: {error}")),
        }
    }

    /// Gives the terminal back.
    fn restore(&self) {
        drop(self.raw.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Passes signals on, or ends this process.
    fn watch(self, outbox: Outbox) -> Result<(), Failure> {
        let mut before: Option<u8> = None;
        signals::watch(move |event| {
            let frame = match event {
                Event::Resize(size) => Frame::Resize(size),
                Event::Signal(number) => {
                    let ends = [SIGINT, SIGTERM, SIGHUP].contains(&i32::from(number));
                    let again = before == Some(number);
                    if ends && (again || !self.begun.load(Ordering::SeqCst)) {
                        self.restore();
                        std::process::exit(128 + i32::from(number));
                    }
                    before = Some(number);
                    Frame::Signal(number)
                }
            };
            // Both fit into a frame.
            let _ = outbox.send(&frame);
        })?;
        Ok(())
    }
}

/// A terminal for the command that is joined to this one needs this one.
pub fn needs_a_terminal(interactive: bool, tty: bool) -> Result<(), Failure> {
    if interactive && tty && !stdin().is_terminal() {
        return Err("-t: standard input is no terminal; leave -t out, or -i".into());
    }
    Ok(())
}
