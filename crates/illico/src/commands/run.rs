//! `illico run`: a program in a kernel of its own, joined to this process as if it ran here.
//!
//! The machine is in this process. What it shall be is a [`plan`]; it is built, and its agent connects to a socket that
//! [`first`] listens on before the guest runs; [`fate`] decides what ends it.

mod detach;
pub mod environment;
mod fate;
mod first;
mod foreign;
mod kernel;
mod network;
mod plan;
mod process;
mod root;
mod scratch;
mod share;
mod timeout;
mod words;

use std::fs::File;
use std::io::{Write, stdin};
use std::path::Path;
use std::time::Instant;

use illico_machine::build::{Files, Parts, Start, build};
use illico_machine::config::Console as ConsoleKind;
use illico_machine::kvm::Kvm;
use illico_machine::timeline::timed;
use illico_protocol::Ending;
use illico_virtio::console::Console;
use illico_virtio::vsock::VsockSpec;
use rustix::fs::{MemfdFlags, memfd_create};

use self::fate::Fate;
use self::first::{First, Streams};
use self::plan::Plan;
use crate::agent;
use crate::cli::Run;
use crate::commands::accounting::Accounting;
use crate::commands::{Failure, boot, exec};
use crate::output;
use crate::session::{Broken, Sinks};
use crate::status::Status;
use crate::streams;
use crate::terminal::RawMode;
use crate::timeline::Recording;
use crate::vms::{Asked, CONSOLE_LOG, Ended, Folder, Log, Verb, Vms};

/// Lines of the kernel's log that are shown where a guest ended before its command did.
const LAST_LINES: usize = 12;

/// Bytes of the kernel's log that are kept. A kernel says some ten thousand; the rest would be of somebody who floods it.
const KERNEL_LOG: u64 = 8 << 20;

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
    // Before the options are looked at, since it takes time elsewhere; told after what is wrong with them.
    let start = Kvm::open().map_err(Failure::from).and_then(|kvm| Ok(Start::with(kvm)?));
    let mut plan = timed("decide on image, kernel and devices", || Plan::from(options, words))?;
    if let Some(recording) = &recording {
        recording.ask_for_initcalls(&mut plan.config);
    }
    plan.config.check()?;
    let mut accounting = Accounting::asked(&options.accounting)?;
    accounting.create()?;
    let remove = options.rm || (!options.detach && options.name.is_none());
    let asked = Asked {
        verb: Verb::Run,
        image: plan.image.clone(),
        command: plan.spec.command.command.iter().map(ToString::to_string).collect(),
        ports: options.publish.clone(),
        remove,
        config: plan.config.clone(),
    };
    let folder = Vms::of_user()?.create(options.name.clone(), asked)?;
    live(options, plan, start, folder, accounting, recording)
}

/// From a folder to the end of the machine that it is for.
fn live(
    options: &Run,
    mut plan: Plan,
    start: Result<Start, Failure>,
    folder: Folder,
    accounting: Accounting<'_>,
    mut recording: Option<Recording>,
) -> Result<Status, Failure> {
    plan.seclude_files(&folder.file("shares"))?;
    if let Some(size) = plan.scratch {
        plan.add_scratch(&folder.file("scratch.img"), size)?;
    }
    let Plan { mut config, mut spec, kernel, stop_signal, timeout, .. } = plan;
    let name = folder.record().name.clone();
    spec.hostname = name.to_string();
    let sockets = folder.make_sockets()?.to_owned();
    config.vsock = Some(VsockSpec { path: sockets.join(agent::SOCKET), cid: GUEST_CID });
    let first = First::listen(&sockets)?;
    let shown = config.console != ConsoleKind::None;
    let initrd = timed("make the initramfs", || in_memory(&kernel.initramfs(&spec, shown)?))?;
    let files = Files { kernel: kernel.open()?, initrd: Some(initrd) };
    let console = match config.console {
        ConsoleKind::None => None,
        _ => Some(open_console(&folder.file(CONSOLE_LOG), options.verbose && !options.detach)?),
    };
    let mut start = start?;
    start.count_in(crate::live::create(&sockets)?);
    let mut machine = build(&config, start, Parts { files, console, uart: None, devices: Vec::new() })?;
    accounting.check(&machine)?;
    crate::live::attach(&sockets, &mut machine)?;
    if let Some(recording) = &mut recording {
        recording.create()?;
    }

    let fate = Fate::of(machine.control(), stop_signal);
    let streams = Streams {
        input: if spec.command.stdin { Some(streams::input()?) } else { None },
        sinks: if options.detach { Sinks::Kept(Log::begin(folder.path())?) } else { streams::sinks()? },
    };
    let messages = folder.file("messages.log");
    let detached = options.detach.then(|| name.clone());
    let started = move || {
        if let Some(name) = detached
            && let Err(error) = detach::tell(&name, &messages)
        {
            output::say(&format!("-d: {error}"));
        }
    };
    let first = first.serve(streams, &fate, started)?;
    if let Some(time) = timeout {
        fate.end_after(time)?;
    }
    fate.listen_to_signals(first.outbox().clone())?;
    let raw = if spec.command.stdin && spec.command.terminal.is_some() { RawMode::enter(stdin())? } else { None };
    let outcome = machine.run();
    let ending = first.end(fate.cause().is_some());
    // Before anything is said.
    drop(raw);
    let outcome = outcome?;

    let (status, why) = match (fate.cause(), ending) {
        (_, Ok(ending)) => (ending.status(), told(&ending)),
        (Some(cause), Err(_)) => (cause.status(), cause.to_string()),
        (None, Err(broken)) => {
            let why = match broken {
                Broken::Gone => format!("the guest ended before its command: {}", boot::why(&outcome.end)),
                broken => output::error_lines(&broken).join("; "),
            };
            output::say(&why);
            show_last_lines(&folder.file(CONSOLE_LOG));
            if let Some(missing) = kernel.missing() {
                output::say(&missing);
            }
            (Status::Failed.code(), why)
        }
    };
    let report = outcome.report();
    let excess = accounting.excess(&report)?;
    // How the command itself ended says more.
    let status = if status == 0 && !excess.is_empty() { Status::OverBudget.code() } else { status };
    if fate.has_begun() {
        crate::live::keep(&folder, &report)?;
        folder.finish(&Ended::now(status, why))?;
    }
    accounting.tell(&report, &excess)?;
    if let Some(recording) = recording {
        recording.finish()?;
    }
    Ok(Status::Command(status))
}

/// Every guest may have the same: nobody but its own process sees it.
const GUEST_CID: u32 = 3;

/// Says what there is to say about an end beside its status, and puts all of it into words.
fn told(ending: &Ending) -> String {
    if let Some(reason) = ending.reason() {
        output::say(reason);
        return reason.to_owned();
    }
    match ending {
        Ending::Signalled(signal) => format!("signal {signal} ended the command"),
        _ => "the command ended".to_owned(),
    }
}

/// A file that is nowhere but in memory.
fn in_memory(bytes: &[u8]) -> Result<File, Failure> {
    let file =
        memfd_create("initramfs", MemfdFlags::CLOEXEC).map_err(|error| format!("cannot make a memfd: {error}"))?;
    let mut file = File::from(file);
    file.write_all(bytes)?;
    Ok(file)
}

/// What the guest's kernel says goes to a file, or to standard error.
fn open_console(log: &Path, shown: bool) -> Result<Box<dyn illico_virtio::device::Device>, Failure> {
    use std::os::fd::AsFd;
    let console = if shown {
        let nothing = File::open("/dev/null")?;
        Console::open(nothing.into(), std::io::stderr().as_fd().try_clone_to_owned()?, None)?
    } else {
        Console::kept(File::create(log)?.into(), KERNEL_LOG)?
    };
    Ok(Box::new(console))
}

/// Shows what the guest's kernel said last: it tells why there is no command.
fn show_last_lines(log: &Path) {
    let Ok(text) = std::fs::read(log) else { return };
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        output::say(&format!("guest: {line}"));
    }
}
