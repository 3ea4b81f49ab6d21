//! `illico exec`: one more command in a machine that runs.

use std::borrow::Cow;
use std::io::{IsTerminal, stdin};

use illico_protocol::{Exec, Frame, Request, Word};

use crate::commands::Failure;
use crate::commands::run::environment::Environment;
use crate::session;
use crate::status::Status;
use crate::terminal::RawMode;
use crate::vms::Vms;
use crate::{agent, cli, output};
use crate::{signals, streams};

/// Runs a command in a machine and joins it to this process.
pub fn run(options: &cli::Exec) -> Result<Status, Failure> {
    let vm = Vms::of_user()?.open(&options.name)?;
    let mut environment = Environment::default();
    environment.ask(&[], &options.env, |name| std::env::var_os(name))?;
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
    signals::pass_on(outbox.clone(), |signal| u8::try_from(signal).ok())?;
    let raw = if options.tty && options.interactive { RawMode::enter(stdin())? } else { None };
    let input = if options.interactive { Some(streams::input()?) } else { None };
    let ending = session::carry(stream, waiting, &outbox, input, streams::sinks()?, || ());
    drop(raw);
    let ending = ending?;
    if let Some(reason) = ending.reason() {
        output::say(reason);
    }
    Ok(Status::Command(ending.status()))
}

/// A terminal for the command that is joined to this one needs this one.
pub fn needs_a_terminal(interactive: bool, tty: bool) -> Result<(), Failure> {
    if interactive && tty && !stdin().is_terminal() {
        return Err("-t: standard input is no terminal; leave -t out, or -i".into());
    }
    Ok(())
}
