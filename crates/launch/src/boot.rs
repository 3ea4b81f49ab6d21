//! A kernel alone: a machine as its configuration describes it, without illico's PID 1 and its agent.
//!
//! The steps are those of a [`crate::Plan`]: [`Plan`] is plain data, [`Plan::prepare`] opens and locks, and
//! [`Prepared::run`] runs the machine on the calling thread. The console belongs to the caller, who knows what to join it to.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use illico_image::kernels::{Cache, KernelError, elf};
use illico_machine::build::{Files, Parts, Start, build};
use illico_machine::config::{Config, Console as ConsoleKind};
use illico_machine::control::End;
use illico_machine::machine::{self, Machine};
use illico_machine::report::Report;
use illico_machine::spans::Spans;
use illico_machine::timeline::Timeline;
use illico_memory::Ram;
use illico_virtio::console::Console;
use illico_virtio::device::Device;

use crate::error::{LaunchError, Part, file, host, open};
use crate::jail::{Folders, Jail, raise};
use crate::outcome::why;
use crate::prepare::begin;
use crate::vms::{Asked, Ended, Folder, Name, Verb, Vms};
use crate::watch;

/// A kernel that is to be booted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The machine.
    pub config: Config,
    /// The name by which other processes find the machine; without one they do not.
    pub name: Option<Name>,
    /// How its process is jailed.
    pub jail: Jail,
}

/// What a caller gives to a machine in place of what it would open itself.
#[derive(Default)]
pub struct Supplies {
    /// Where machines are registered; the user's own folders otherwise.
    pub vms: Option<Vms>,
    /// KVM, opened and asked earlier. What was wrong with it is reported after what is wrong with the plan.
    pub start: Option<Result<Start, LaunchError>>,
    /// The kernel, packed or not; opened by its path otherwise.
    pub kernel: Option<File>,
    /// The console, if the configuration has a VirtIO one.
    pub console: Option<Box<dyn Device>>,
    /// Where the UART writes, if the configuration has one.
    pub uart: Option<Box<dyn Write + Send>>,
    /// The guest's memory, in the ranges of a machine of the plan's size; mapped here otherwise.
    pub ram: Option<Ram>,
    /// What collects the spans of the work from here to the machine's end; nothing is kept otherwise.
    pub spans: Spans,
    /// Devices that the caller made; behind those of the plan.
    pub devices: Vec<Box<dyn Device>>,
}

/// A machine that can run. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Prepared {
    machine: Machine,
    folder: Option<Folder>,
}

/// A machine that has ended.
#[derive(Debug)]
#[must_use = "without `record` other processes are not told how the machine ended"]
pub struct Finished {
    outcome: machine::Outcome,
    folder: Option<Folder>,
}

impl Supplies {
    /// A console of this kind that reads nothing and whose output is dropped.
    pub fn silent(kind: ConsoleKind) -> Result<Self, LaunchError> {
        let path = PathBuf::from("/dev/null");
        let null = || File::options().read(true).write(true).open(&path).map_err(file("open", &path));
        let mut supplies = Self::default();
        match kind {
            ConsoleKind::Virtio => {
                supplies.console = Some(Box::new(Console::open(null()?.into(), null()?.into(), None)?));
            }
            ConsoleKind::Uart => supplies.uart = Some(Box::new(null()?)),
            ConsoleKind::None => {}
        }
        Ok(supplies)
    }
}

impl std::fmt::Debug for Supplies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supplies").finish_non_exhaustive()
    }
}

impl Plan {
    /// Opens, makes and locks all that the machine needs.
    pub fn prepare(self, supplies: Supplies) -> Result<Prepared, LaunchError> {
        let Self { config, name, jail } = self;
        let Supplies { vms, start, kernel, console, uart, ram, spans, devices } = supplies;
        let start = start.unwrap_or_else(|| begin(&spans));
        config.check()?;
        let files = spans.timed("open the kernel and the initrd", || open_files(&config, kernel, &spans))?;
        let mut start = start?;
        let vms = name.is_some().then(|| vms.map_or_else(Vms::of_user, Ok)).transpose()?;
        let folder = name.zip(vms.as_ref()).map(|(name, vms)| register(vms, name, &config)).transpose()?;
        let sockets = folder.as_ref().map(Folder::make_sockets).transpose()?;
        if let Some(sockets) = sockets {
            start.count_in(watch::create(sockets)?);
        }
        raise(jail, &Folders::of(&config, vms.as_ref()))?;
        let mut machine = build(&config, start, Parts { files, console, devices, uart, ram })?;
        if let Some(sockets) = sockets {
            watch::attach(sockets, &mut machine)?;
        }
        Ok(Prepared { machine, folder })
    }
}

impl Prepared {
    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, for what a caller adds to its loops.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Runs the machine on this thread, until it has ended.
    pub fn run(self) -> Result<Finished, LaunchError> {
        let Self { machine, folder } = self;
        let outcome = machine.run().map_err(host("run the machine"))?;
        Ok(Finished { outcome, folder })
    }
}

impl Finished {
    /// Why it ended.
    pub fn end(&self) -> &End {
        &self.outcome.end
    }

    /// What did not stop when the machine was ended by force (see [`machine::Outcome`]).
    pub fn left_behind(&self) -> &[String] {
        &self.outcome.left_behind
    }

    /// Whether other processes know the machine.
    pub fn is_registered(&self) -> bool {
        self.folder.is_some()
    }

    /// Where its exits went. To be asked once: kicks are counted in eventfds, and reading empties them.
    pub fn report(&self) -> Report {
        self.outcome.report()
    }

    /// What it tells of its time, if its caller collects spans.
    pub fn take_timeline(&mut self) -> Option<Timeline> {
        self.outcome.timeline.take()
    }

    /// Tells other processes how it ended, with this status, if they know the machine, and gives the folder up.
    pub fn record(self, status: u8, report: &Report) -> Result<(), LaunchError> {
        let Some(folder) = self.folder else { return Ok(()) };
        watch::keep(&folder, report)?;
        Ok(folder.finish(&Ended::now(status, why(&self.outcome.end)))?)
    }
}

fn open_files(config: &Config, kernel: Option<File>, spans: &Spans) -> Result<Files, LaunchError> {
    let kernel = kernel.map_or_else(|| open(Part::Kernel, &config.kernel), Ok)?;
    let kernel = elf(kernel, &Cache::of_user(), &|name, begin, end| spans.between(name, begin, end))
        .map_err(KernelError::from)?;
    let initrd = config.initrd.as_deref().map(|path| open(Part::Initrd, path)).transpose()?;
    Ok(Files { kernel, initrd })
}

/// Makes the machine known to other processes.
fn register(vms: &Vms, name: Name, config: &Config) -> Result<Folder, LaunchError> {
    let (image, command, ports) = (None, vec![config.kernel.to_string_lossy().into_owned()], Vec::new());
    let asked = Asked { verb: Verb::Boot, image, command, ports, remove: false, config: config.clone() };
    Ok(vms.create(Some(name), asked)?)
}
