//! `illico boot`: one machine in the foreground, its console joined to the terminal.

pub mod configure;
mod console;
mod signals;
mod trace;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use illico_launch::outcome::why;
use illico_machine::build::{Files, Parts, Start, build};
use illico_machine::config::{Config, Console as ConsoleKind};
use illico_machine::control::End;
use illico_machine::kvm::Kvm;
use illico_machine::machine::Outcome;
use illico_machine::timeline::{span, timed};
use illico_virtio::complaints::say;
use illico_virtio::console::Console;
use illico_virtio::device::Device;
use rustix::fs::OFlags;

pub use self::trace::Trace;
use crate::bus_error::end_process_at_sigbus;
use crate::cli::{self, Boot};
use crate::commands::Failure;
use crate::commands::accounting::Accounting;
use crate::live;
use crate::status::Status;
use crate::timeline::Recording;
use crate::vms::{Asked, Ended, Folder, Name, Verb, Vms};

/// A machine, and what is wanted of it beside its configuration.
#[derive(Debug)]
pub struct Job<'a> {
    pub config: Config,
    pub name: Option<&'a Name>,
    pub accounting: &'a cli::Accounting,
    pub trace: Option<Trace<'a>>,
    /// How long a guest may take to answer its power button before the machine is stopped.
    pub stop_timeout: Duration,
}

/// Boots the machine that the options describe and waits for its end.
pub fn run(options: &Boot, began: Instant) -> Result<Status, Failure> {
    let recording = Recording::begin(&options.timeline, began)?;
    let start = begin();
    let mut config = timed("read the options", || configure::from(options))?;
    if let Some(recording) = &recording {
        recording.ask_for_initcalls(&mut config);
    }
    let job = Job {
        config,
        name: options.name.as_ref(),
        accounting: &options.accounting,
        trace: options.trace_queue.as_deref().map(|queue| Trace { queue, chains: options.trace_chains }),
        stop_timeout: Duration::from_secs(options.stop_timeout.into()),
    };
    boot(job, start, recording)
}

/// Opens KVM, which takes time on another thread: what is wrong with the options is still said first.
pub fn begin() -> Result<Start, Failure> {
    let kvm = timed("open /dev/kvm", Kvm::open)?;
    Ok(Start::with(kvm)?)
}

/// Boots a machine and waits for its end.
pub fn boot(job: Job<'_>, start: Result<Start, Failure>, mut recording: Option<Recording>) -> Result<Status, Failure> {
    let Job { config, name, accounting, trace, stop_timeout } = job;
    config.check()?;
    let maps_files = !config.pmem.is_empty();
    let mut accounting = Accounting::asked(accounting)?;
    let files = timed("open the kernel and the initrd", || open_files(&config))?;
    let opened = timed("open the console", || console::open(config.console))?;
    let console::Opened { device, uart, joint } = opened;
    let mut start = start?;
    let folder = name.map(|name| register(name, &config)).transpose()?;
    let watched = folder.as_ref().map(Folder::make_sockets).transpose()?;
    if let Some(sockets) = watched {
        start.count_in(live::create(sockets)?);
    }
    let mut machine = build(&config, start, Parts { files, console: device, uart, devices: Vec::new() })?;
    accounting.check(&machine)?;
    if let Some(trace) = trace {
        trace.attach(&mut machine)?;
    }
    if let Some(sockets) = watched {
        live::attach(sockets, &mut machine)?;
    }
    // After all else that could fail: what does not start leaves nothing behind.
    accounting.create()?;
    if let Some(recording) = &mut recording {
        recording.create()?;
    }
    let attaching = span("watch the terminal and signals");
    let signals = signals::attach(&mut machine, stop_timeout)?;
    let raw = joint.attach(&mut machine)?;
    if maps_files {
        end_process_at_sigbus(raw.as_ref())?;
    }
    drop(attaching);
    let outcome = machine.run();
    // Before anything is said.
    drop(raw);
    let outcome = outcome?;
    signals.end();
    tell(&outcome.end);
    if !outcome.left_behind.is_empty() {
        say(&format!(
            "{} did not stop: what it waits for on this host does not answer",
            outcome.left_behind.join(", ")
        ));
    }
    let report = (accounting.is_wanted() || folder.is_some()).then(|| outcome.report());
    let excess = report.as_ref().map_or_else(|| Ok(Vec::new()), |report| accounting.excess(report))?;
    let status = match Status::of(&outcome.end) {
        Status::Ended if !excess.is_empty() => Status::OverBudget,
        // How the guest itself ended says more.
        status => status,
    };
    if let Some(folder) = folder {
        if let Some(report) = &report {
            live::keep(&folder, report)?;
        }
        folder.finish(&Ended::now(status.code(), why(&outcome.end)))?;
    }
    if let Some(report) = report {
        accounting.tell(&report, &excess)?;
    }
    if let Some(recording) = recording {
        recording.finish()?;
    }
    Ok(status)
}

/// Runs a machine whose console goes nowhere, with all signals as they are: for a comparison of two.
pub fn quietly(config: &Config) -> Result<Outcome, Failure> {
    config.check()?;
    let nowhere = || File::options().read(true).write(true).open("/dev/null");
    let (console, uart): (Option<Box<dyn Device>>, Option<Box<dyn Write + Send>>) = match config.console {
        ConsoleKind::Virtio => (Some(Box::new(Console::open(nowhere()?.into(), nowhere()?.into(), None)?)), None),
        ConsoleKind::Uart => (None, Some(Box::new(nowhere()?))),
        ConsoleKind::None => (None, None),
    };
    let files = open_files(config)?;
    let outcome = build(config, begin()?, Parts { files, console, uart, devices: Vec::new() })?.run()?;
    tell(&outcome.end);
    Ok(outcome)
}

fn open_files(config: &Config) -> Result<Files, Failure> {
    Ok(Files {
        kernel: open_kernel(&config.kernel)?,
        initrd: config.initrd.as_deref().map(|path| open("--initrd", path)).transpose()?,
    })
}

/// Makes the machine known to other processes.
fn register(name: &Name, config: &Config) -> Result<Folder, Failure> {
    let (image, command, ports) = (None, vec![config.kernel.to_string_lossy().into_owned()], Vec::new());
    let asked = Asked { verb: Verb::Boot, image, command, ports, remove: false, config: config.clone() };
    Ok(Vms::of_user()?.create(Some(name.clone()), asked)?)
}

/// A file that an option names.
pub fn open(option: &str, path: &Path) -> Result<File, Failure> {
    // A named pipe would wait for its other end; on files it changes nothing.
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path);
    file.map_err(|error| format!("{option}: cannot open {}: {error}; check the path", path.display()).into())
}

/// Kernels that illico carries along, by the names that `--kernel` knows them by.
const BUILT_IN: [(&str, &[u8]); 2] = [(":probe:", illico_probe_image::IMAGE), (":ten:", illico_probe_image::TEN)];

fn open_kernel(path: &Path) -> Result<File, Failure> {
    if let Some((name, image)) = BUILT_IN.iter().find(|(name, _)| path.as_os_str() == *name) {
        return illico_probe_image::file(image).map_err(|error| format!("--kernel {name}: {error}").into());
    }
    open("--kernel", path)
}

/// Says why a machine ended, where it was not the guest's own wish.
fn tell(end: &End) {
    match end {
        End::PowerOff | End::Reset | End::Left => {}
        End::Panicked => say("the guest's kernel panicked"),
        End::TripleFault { vcpu, registers } => {
            say(&format!("vCPU {vcpu} triple-faulted: the guest had no handler for a fault\n{registers}"));
        }
        End::InternalError { vcpu, error, registers } => say(&format!(
            "KVM cannot go on with vCPU {vcpu} ({error}); `illico doctor` tells what this host can run\n{registers}"
        )),
        End::VcpuFailed { vcpu, why, registers } => {
            say(&format!("vCPU {vcpu} could not be run: {why}\n{registers}"));
        }
        End::Stopped => say("stopped"),
        End::Unanswered { within } => {
            say(&format!("stopped: the guest did not power off within {} s of the signal", within.as_secs()));
        }
    }
}
