//! `illico run`: a program in a kernel of its own, joined to this process as if it ran here.
//!
//! The machine is in this process: [`options`] makes a plan for the library that starts machines, and this file joins it to
//! the person's terminal, signals and files.

mod detach;
mod foreign;
mod options;
mod timeout;
mod words;

use std::ffi::OsString;
use std::io::{stderr, stdin};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use illico_launch::{Finished, Kernel, Outcome, Prepared, Streams, Supplies};

use crate::failure::Failure;
use crate::naming::Origin;
use crate::session::Sinks;
use crate::show::timeline::{Recording, TimelineOptions};
use crate::signals::Event;
use crate::status::Status;
use crate::terminal::RawMode;
use crate::verbs::accounting::{Accounting, AccountingOptions};
use crate::verbs::command::CommandOptions;
use crate::verbs::jail::JailOptions;
use crate::verbs::{Called, exec};
use crate::vms::Name;
use crate::{output, signals, streams};

pub const USAGE: &str = "illico run [OPTIONS] [IMAGE] [--] [COMMAND [ARG...]]";

pub const HELP: &str = "\
Examples:
  illico run -- make test                       this host's files, read-only below a scratch layer
  illico run --rw-cwd -- cargo build            the same, and writes to the current folder go through
  illico run -it debian:12                      an image, on a terminal
  illico run -d --name web -p 8080:80 nginx     in the background, reached at port 8080 of this host
  illico run --net none -v ./in:/in:ro alpine -- sha256sum /in/file
  illico run --kernel netbsd disk.img           a kernel that is not Linux, as illico boot does it

Signals: HUP, INT, QUIT, TERM, USR1, USR2 go to the command; before it has started, and with a second TERM, they end the machine.

Status:
  N    the command's own
  105  the command ended with 0, but the guest spent more exits than --budget allows
  125  illico could not do what was asked, or the guest ended before its command
  126  the command's program cannot be executed
  127  there is no such program
  128+n  the command was ended by signal n (143: also by a second SIGTERM; 124: --timeout was over)";

/// Options of `illico run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Keep standard input open and pass it on. Example: illico run -i -- wc -l <file
    #[arg(long, short)]
    pub interactive: bool,

    /// Give the command a terminal; with -i, this one. Example: -it
    #[arg(long, short)]
    pub tty: bool,

    /// Run in the background; prints the name once the command runs. Example: -d
    #[arg(long, short)]
    pub detach: bool,

    /// Name of the machine [default: invented]. Example: --name web
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Forget the machine when it ends. Without -d that is so anyway unless it has a --name. Example: --rm
    #[arg(long)]
    pub rm: bool,

    #[command(flatten)]
    pub command: CommandOptions,

    /// Variables from a file: a line each, as for -e; lines that begin with # are left out. Example: --env-file job.env
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Share a folder or file of this host; may be repeated. Example: -v ./data:/data:ro
    #[arg(long, short, value_name = "HOST:GUEST[:ro]")]
    pub volume: Vec<OsString>,

    /// Let writes to the current folder through (without an image). Example: --rw-cwd
    #[arg(long)]
    pub rw_cwd: bool,

    /// Put the scratch layer on a disk of this size, which is a file with holes, and gone with the machine
    /// [default: in the guest's memory]. Example: --scratch 10G
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub scratch: Option<String>,

    /// Kernel of the guest, by name or file [default: what `illico kernel ls` marks]. Example: --kernel ./vmlinuz
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Network of the machine: one that leads to the host's, without any rights, by the program passt; none; or a
    /// card on a tap that exists [default: user]. Example: --net none
    #[arg(long, value_name = "user[,loopback]|none|tap=NAME[,ip=ADDR/BITS][,gateway=ADDR][,dns=ADDR]")]
    pub net: Option<String>,

    /// Lead a port of this host into the machine; may be repeated. Example: -p 8080:80
    #[arg(long, short, value_name = "[ADDRESS:]HOST:GUEST[/udp]")]
    pub publish: Vec<String>,

    /// vCPUs, 1 to 64 [default: 1]. Example: --cpus 4
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cpus: Option<String>,

    /// Guest RAM; a bare number is MiB [default: 512M]. The scratch layer is in it. Example: --memory 2G
    #[arg(long, short, value_name = "SIZE", allow_negative_numbers = true)]
    pub memory: Option<String>,

    /// End the machine after so long; the status is then 124. Example: --timeout 10m
    #[arg(long, value_name = "N[s|m|h]")]
    pub timeout: Option<String>,

    #[command(flatten)]
    pub accounting: AccountingOptions,

    #[command(flatten)]
    pub timeline: TimelineOptions,

    #[command(flatten)]
    pub jail: JailOptions,

    /// Draw no progress while an image is unpacked. Example: --quiet
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say which kernel, image and devices are chosen, and show the kernel's log. Example: --verbose
    #[arg(long)]
    pub verbose: bool,

    /// An image, unless -- comes first, and the command with its arguments.
    #[arg(value_name = "IMAGE", trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    pub words: Vec<OsString>,
}

/// Lines of the kernel's log that are shown where a guest ended before its command did.
const LAST_LINES: usize = 12;

/// Runs the command and waits for its end, or, with -d, for its beginning.
pub fn run(options: &Run, called: &Called) -> Result<Status, Failure> {
    let words = words::split(&options.words, &called.arguments)?;
    if let Some(kernel) = options.kernel.as_deref().filter(|kernel| foreign::is_foreign(kernel)) {
        return foreign::boot(options, kernel, &words, called.began);
    }
    if !options.detach {
        exec::needs_a_terminal(options.interactive, options.tty)?;
    } else if !called.is_detached {
        return detach::start(&called.arguments);
    } else {
        detach::leave_session()?;
    }
    let recording = Recording::begin(&options.timeline, called.began)?;
    // Before the options are looked at, since it takes time elsewhere; reported after what is wrong with them.
    let spans = Recording::spans(recording.as_ref());
    let start = Some(illico_launch::begin(&spans));
    let mut plan = spans.timed("decide on image, kernel and devices", || options::plan(options, words))?;
    if let Some(recording) = &recording {
        recording.ask_for_initcalls(&mut plan.config);
    }
    plan.config.check().map_err(|error| Origin::Run.of_config(&error))?;
    let mut accounting = Accounting::asked(&options.accounting)?;
    accounting.create()?;
    let console = match options.verbose && !options.detach {
        true => Some(stderr().as_fd().try_clone_to_owned()?),
        false => None,
    };
    let prepared = plan
        .prepare(Supplies { start, console, spans, ..Supplies::default() })
        .map_err(|error| Origin::Run.explain(error))?;
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
    let background = || {
        let folder = prepared.folder();
        detach::Background::open(folder.record().name.clone(), &folder.file("messages.log"))
    };
    let background = options.detach.then(background).transpose().map_err(|error| format!("-d: {error}"))?;
    let begun = move || {
        if let Some(background) = background
            && let Err(error) = background.enter()
        {
            output::say(&format!("-d: {error}"));
        }
    };
    let raw = if options.tty && options.interactive && !options.detach { RawMode::enter(stdin())? } else { None };
    let (handle, over) = (prepared.handle(), Arc::new(AtomicBool::new(false)));
    let (is_over, restore) = (Arc::clone(&over), raw.as_ref().map(RawMode::restorer));
    signals::watch_with_machine(restore, move |event| match event {
        Event::Resize(size) => handle.resize(size),
        // What is left to do after the machine, such as writing a report to a pipe, may wait for others.
        Event::Signal(number) if is_over.load(Ordering::SeqCst) => std::process::exit(128 + i32::from(number)),
        Event::Signal(number) => {
            handle.signal(number);
        }
    })?;
    let finished = prepared.run(streams, begun);
    // Before anything is printed.
    drop(raw);
    over.store(true, Ordering::SeqCst);
    let mut finished = finished.map_err(|error| Origin::Run.explain(error))?;
    let timeline = finished.timeline.take();
    explain(&finished, &kernel);
    let report = finished.report.clone();
    let excess = accounting.excess(&report)?;
    let status = match finished.outcome.status() {
        0 if !excess.is_empty() => Status::OverBudget.code(),
        // How the command itself ended says more.
        status => status,
    };
    finished.record(status).map_err(|error| Origin::Run.explain(error))?;
    accounting.tell(&report, &excess)?;
    if let Some(recording) = recording {
        recording.finish(timeline)?;
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
