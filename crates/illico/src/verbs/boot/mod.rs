//! `illico boot`: one machine in the foreground, its console joined to the terminal.

pub mod configure;
mod console;
mod signals;
mod trace;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use illico_launch::boot::{Finished, Plan, Prepared, Supplies};
use illico_launch::{Jail, LaunchError};
use illico_machine::build::Start;
use illico_machine::config::Config;
use illico_machine::control::End;
use illico_virtio::complaints::say;

pub use self::trace::Trace;
use crate::bus_error::end_process_at_sigbus;
use crate::failure::Failure;
use crate::naming::Origin;
use crate::show::timeline::{Recording, TimelineOptions};
use crate::status::Status;
use crate::verbs::Devices;
use crate::verbs::accounting::{Accounting, AccountingOptions};
use crate::verbs::jail::JailOptions;
use crate::vms::Name;

pub const HELP: &str = "\
Examples:
  illico boot --kernel vmlinuz --initrd initrd.img
  illico boot --kernel vmlinux --disk path=root.img --cmdline 'root=/dev/vda rw' --exits
  illico boot --kernel netbsd --memory 64M --console none --exits-json exits.json
  illico boot --kernel :probe: --cmdline probe=hello,ring0

Keys: Ctrl-A x leaves, Ctrl-A Ctrl-A sends Ctrl-A.
Signals: SIGTERM presses the guest's power button; a second one, or --stop-timeout without an answer, stops it at once.

Status:
  0    the guest powered off or reset, or you left with Ctrl-A x
  101  the guest's kernel panicked (and said so through pvpanic, or by a warm reset)
  102  a vCPU triple-faulted
  103  KVM met something that it cannot do (KVM_EXIT_INTERNAL_ERROR)
  104  a vCPU could not be entered
  105  the guest ended well, but spent more exits than --budget allows
  125  illico could not do what was asked: the message names the option and the fix
  143  stopped by a second SIGTERM, or after --stop-timeout";

/// Options of `illico boot`.
#[derive(Debug, Args)]
pub struct Boot {
    /// Kernel: an ELF with a PVH note, a Linux vmlinux, or a bzImage (recognised by its bytes); or
    /// `:probe:`, the kernel that illico brings along to look at a machine from inside (guest/probe), or
    /// `:ten:`, ten instructions that power off.
    /// Example: --kernel vmlinuz
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Initial RAM disk, handed to the kernel as it is. Example: --initrd initrd.img
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,

    /// Words for the kernel; they come after the defaults, so they win. Example: --cmdline 'root=/dev/vda quiet'
    #[arg(long, value_name = "STRING", allow_hyphen_values = true)]
    pub cmdline: Option<String>,

    /// Leave out the default words (docs/boot.md lists them, each with its reason).
    /// Example: --no-default-cmdline --cmdline 'console=hvc0'
    #[arg(long)]
    pub no_default_cmdline: bool,

    /// vCPUs, 1 to 64 [default: 1]. Example: --cpus 2
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cpus: Option<String>,

    /// Guest RAM, from 16M up; a bare number is MiB [default: 512M]. Example: --memory 2G
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub memory: Option<String>,

    #[command(flatten)]
    pub devices: Devices,

    /// A port of the host that leads to a port of the guest, with --net user; may be repeated. Example: -p 8080:80
    #[arg(short = 'p', long, value_name = "[ADDRESS:]HOST:GUEST[/udp]")]
    pub publish: Vec<String>,

    /// The console: a VirtIO one, a UART that exits for every character, or none [default: virtio].
    /// Example: --console uart
    #[arg(long, value_name = "virtio|uart|none")]
    pub console: Option<String>,

    /// Add a CMOS real-time clock, for kernels that do not know kvm-clock. It tells UTC and cannot be set.
    /// Example: --rtc
    #[arg(long)]
    pub rtc: bool,

    /// How VirtIO devices are reached [default: pci]. Example: --transport mmio
    #[arg(long, value_name = "pci|mmio")]
    pub transport: Option<String>,

    /// Take something away from all VirtIO devices, to see what it is worth: event-idx (kicks and interrupts
    /// wanted at an index), indirect (chains in tables of their own), msix (interrupts as messages).
    /// Example: --without event-idx,msix
    #[arg(long, value_name = "event-idx|indirect|msix[,...]", value_delimiter = ',')]
    pub without: Vec<String>,

    /// How virtio-mmio devices are announced: cmdline is for kernels that do not read ACPI [default: acpi].
    /// Example: --announce cmdline
    #[arg(long, value_name = "acpi|cmdline")]
    pub announce: Option<String>,

    /// How the host backs guest memory: transparent huge pages, its hugetlb pool, or small pages
    /// [default: thp]. Example: --hugepages hugetlb
    #[arg(long, value_name = "thp|hugetlb|off")]
    pub hugepages: Option<String>,

    /// Keep state of the machine under this name, for `illico ps`, `stop` and the others. Example: --name web
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,

    /// Seconds that a guest may take to power off after a first SIGTERM; then it is stopped. Example: --stop-timeout 60
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub stop_timeout: u32,

    #[command(flatten)]
    pub accounting: AccountingOptions,

    #[command(flatten)]
    pub timeline: TimelineOptions,

    #[command(flatten)]
    pub jail: JailOptions,

    /// Print descriptor chains as they pass through a queue, or all queues, of a device, with their bytes, as
    /// docs/virtqueue.md explains. Devices are called as in --exits. Example: --trace-queue disk0:0
    #[arg(long, value_name = "DEVICE[:QUEUE]")]
    pub trace_queue: Option<String>,

    /// How many chains are printed [default: 64]. Example: --trace-chains 8
    #[arg(long, value_name = "N", requires = "trace_queue")]
    pub trace_chains: Option<u32>,

    /// Read the machine from a file first; options change and add to it. Example: --config machine.toml
    #[arg(long, value_name = "FILE.json|.toml")]
    pub config: Option<PathBuf>,
}

/// A machine, and what is wanted of it beside its configuration.
#[derive(Debug)]
pub struct Job<'a> {
    pub config: Config,
    /// Where the configuration was written.
    pub origin: Origin,
    pub name: Option<&'a Name>,
    pub accounting: &'a AccountingOptions,
    pub trace: Option<Trace<'a>>,
    /// How long a guest may take to answer its power button before the machine is stopped.
    pub stop_timeout: Duration,
    /// How its process is jailed.
    pub jail: Jail,
}

/// Boots the machine that the options describe and waits for its end.
pub fn run(options: &Boot, began: Instant) -> Result<Status, Failure> {
    let recording = Recording::begin(&options.timeline, began)?;
    let spans = Recording::spans(recording.as_ref());
    let start = illico_launch::begin(&spans);
    let (mut config, written) = spans.timed("read the options", || configure::from(options))?;
    if let Some(recording) = &recording {
        recording.ask_for_initcalls(&mut config);
    }
    let job = Job {
        config,
        origin: Origin::Boot(written),
        name: options.name.as_ref(),
        accounting: &options.accounting,
        trace: options.trace_queue.as_deref().map(|queue| Trace { queue, chains: options.trace_chains }),
        stop_timeout: Duration::from_secs(options.stop_timeout.into()),
        jail: options.jail.level(),
    };
    boot(job, start, recording)
}

/// Boots a machine and waits for its end.
pub fn boot(
    job: Job<'_>,
    start: Result<Start, LaunchError>,
    mut recording: Option<Recording>,
) -> Result<Status, Failure> {
    let Job { config, origin, name, accounting, trace, stop_timeout, jail } = job;
    config.check().map_err(|error| origin.of_config(&error))?;
    let maps_files = !config.pmem.is_empty();
    let mut accounting = Accounting::asked(accounting)?;
    let kernel = built_in(&config.kernel)?;
    let spans = Recording::spans(recording.as_ref());
    let opened = spans.timed("open the console", || console::open(config.console))?;
    let console::Opened { device, uart, joint } = opened;
    let spool = uart.clone();
    let uart = uart.map(|spool| Box::new(spool) as _);
    let supplies =
        Supplies { start: Some(start), kernel, console: device, uart, spans: spans.clone(), ..Supplies::default() };
    let plan = Plan { config, name: name.cloned(), jail };
    let mut prepared = plan.prepare(supplies).map_err(|error| origin.explain(error))?;
    accounting.check(prepared.machine())?;
    if let Some(trace) = trace {
        trace.attach(prepared.machine_mut())?;
    }
    // After all else that could fail: what does not start leaves nothing behind.
    accounting.create()?;
    if let Some(recording) = &mut recording {
        recording.create()?;
    }
    let attaching = spans.open("watch the terminal and signals");
    let signals = signals::attach(prepared.machine_mut(), stop_timeout)?;
    let raw = joint.attach(prepared.machine_mut())?;
    if maps_files {
        end_process_at_sigbus(raw.as_ref())?;
    }
    drop(attaching);
    let finished = prepared.run();
    // Before anything is said.
    drop(raw);
    let mut finished = finished.map_err(|error| origin.explain(error))?;
    let timeline = finished.take_timeline();
    signals.end();
    // After an end by force nothing waits for a reader of the console.
    if let (Some(spool), false) = (spool, finished.end().is_forced()) {
        spool.finish();
    }
    tell(finished.end());
    if !finished.left_behind().is_empty() {
        let names = finished.left_behind().join(", ");
        say(&format!("{names} did not stop: what it waits for on this host does not answer"));
    }
    let report = (accounting.is_wanted() || finished.is_registered()).then(|| finished.report());
    let excess = report.as_ref().map_or_else(|| Ok(Vec::new()), |report| accounting.excess(report))?;
    let status = match Status::of(finished.end()) {
        Status::Ended if !excess.is_empty() => Status::OverBudget,
        // How the guest itself ended says more.
        status => status,
    };
    if let Some(report) = report {
        finished.record(status.code(), &report).map_err(|error| origin.explain(error))?;
        accounting.tell(&report, &excess)?;
    }
    if let Some(recording) = recording {
        recording.finish(timeline)?;
    }
    Ok(status)
}

/// Runs a machine whose console goes nowhere, with all signals as they are: for a comparison of two.
pub fn quietly(config: &Config, origin: &Origin) -> Result<Finished, Failure> {
    let kernel = built_in(&config.kernel)?;
    let supplies = Supplies { kernel, ..Supplies::silent(config.console)? };
    let plan = Plan { config: config.clone(), name: None, jail: Jail::Off };
    let finished = plan.prepare(supplies).and_then(Prepared::run).map_err(|error| origin.explain(error))?;
    tell(finished.end());
    Ok(finished)
}

/// Kernels that illico carries along, by the names that `--kernel` knows them by.
const BUILT_IN: [(&str, &[u8]); 2] = [(":probe:", illico_probe_image::IMAGE), (":ten:", illico_probe_image::TEN)];

/// The kernel of that name that illico carries along, if it is one.
fn built_in(path: &Path) -> Result<Option<File>, Failure> {
    let Some((name, image)) = BUILT_IN.iter().find(|(name, _)| path.as_os_str() == *name) else { return Ok(None) };
    illico_probe_image::file(image).map(Some).map_err(|error| format!("--kernel {name}: {error}").into())
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
