//! `illico exec`: one more command in a machine that runs.
//!
//! Signals are the command's once its agent has answered. Before that, and with a second SIGINT, SIGTERM or SIGHUP, they
//! end this process: an agent that does not answer cannot hold it.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{IsTerminal, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use illico_launch::Environment;
use illico_protocol::{Exec as Command, Frame, Request};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::session::{self, Outbox};
use crate::signals::{self, Event};
use crate::status::Status;
use crate::terminal::RawMode;
use crate::verbs::command::CommandOptions;
use crate::vms::{Name, Vms};
use crate::{agent, output, streams};

pub const HELP: &str = "\
Examples:
  illico exec web -- cat /etc/os-release
  illico exec -it web sh

Status:
  N    the command's own
  125  illico could not do what was asked, or the guest ended before the command
  126  the command's program cannot be executed
  127  there is no such program
  128+n  the command was ended by signal n, or this process was before its agent answered";

/// Options of `illico exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// Keep standard input open and pass it on.
    #[arg(long, short)]
    pub interactive: bool,

    /// Give the command a terminal; with -i, this one.
    #[arg(long, short)]
    pub tty: bool,

    #[command(flatten)]
    pub given: CommandOptions,

    /// A machine, by name.
    #[arg(value_name = "NAME")]
    pub name: Name,

    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// Runs a command in a machine and joins it to this process.
pub fn run(options: &Exec) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let mut environment = Environment::default();
    options.given.add_variables(&[], &mut environment)?;
    if options.tty {
        environment.set_if_missing("TERM", std::env::var_os("TERM"));
    }
    let mut command = Command {
        env: environment.words(),
        terminal: options.tty.then(|| signals::window().unwrap_or(signals::UNSEEN)),
        stdin: options.interactive,
        ..Command::new(options.command.iter().cloned())
    };
    options.given.apply(&mut command);
    let request = Request::Exec(command);
    needs_a_terminal(options.interactive, options.tty)?;
    let stream = agent::connect(&vm)?;
    let (outbox, waiting) = session::outbox();
    outbox.send(&Frame::Request(Cow::Owned(request)))?;
    let person = Person::default();
    person.clone().watch(outbox.clone())?;
    let input = if options.interactive { Some(streams::input()?) } else { None };
    let (raw, begins) = (options.tty && options.interactive, person.clone());
    let ending = session::carry(|| Ok(stream), waiting, &outbox, input, streams::sinks()?, move || begins.begin(raw));
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
