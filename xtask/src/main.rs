//! `cargo xtask`: what developers run. `cargo xtask help` says what there is.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use xtask::project::{self, Profile};
use xtask::{Error, GuestInit, Kernel, Lab, Series};

/// A lab that did not come to its command's end: not a status that the command itself is likely to have.
const LAB_FAILED: u8 = 125;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "What developers of illico run")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a command in the lab, an emulated AMD machine with a complete /dev/kvm.
    ///
    /// The lab has busybox, /bin/illico, /bin/count-exits and the kernels /kernels/6.12 and /kernels/6.1, each as
    /// vmlinux and vmlinuz, and /guests/reboot.cpio and /guests/poweroff.cpio, whose PID 1 does only that. The
    /// command's status is this program's; 125 says that the lab itself failed.
    Lab(LabArguments),
    /// Boot a stock Debian kernel to a program that says who it is: directly if this host can, else in the lab.
    Hello,
    /// Measure illico, and QEMU where it is installed, at the same work, and write docs/benchmarks.md.
    Bench {
        /// What to measure; everything, without a name. The figures of other parts are kept.
        parts: Vec<xtask::bench::Part>,
        /// How many pairs of starts.
        #[arg(long, default_value_t = 200)]
        pairs: usize,
        /// Measure nothing: write the report from the figures that are kept.
        #[arg(long, conflicts_with_all = ["parts", "pairs"])]
        report: bool,
    },
    /// Build a release in target/dist: the program, a Debian package, a bill of materials, checksums.
    Dist,
    /// Write an initramfs for a guest: busybox, modules, and a script as PID 1.
    Initramfs(InitramfsArguments),
    /// Boot many guests in the lab, one after the other, and count those that stall.
    Soak {
        /// How many boots.
        #[arg(long, default_value_t = 200)]
        boots: u32,
        /// vCPUs of each guest.
        #[arg(long, default_value_t = 2)]
        cpus: u32,
    },
    /// Download Debian's 6.12 and 6.1 cloud kernels into the cache and print where their parts are.
    Kernels,
}

#[derive(Debug, clap::Args)]
struct LabArguments {
    /// Seconds before the whole run counts as stuck.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// A file of the host to bring in, with its shared libraries if it is a program; in /root if no path is given.
    #[arg(long = "file", value_name = "HOST[:LAB]")]
    files: Vec<String>,
    /// A raw image of the host as /dev/disk/NAME, writable.
    #[arg(long = "disk", value_name = "NAME=IMAGE")]
    disks: Vec<String>,
    /// A file of the lab to bring back into the current folder.
    #[arg(long = "fetch", value_name = "LAB")]
    fetch: Vec<String>,
    /// A module of the lab's kernel to load, such as tun or vhost_net.
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// The lab's CPUs, all on one host thread.
    #[arg(long, default_value_t = 1)]
    cpus: u32,
    /// The lab's memory in MiB.
    #[arg(long, default_value_t = 3072)]
    memory: u32,
    /// A clock that advances by a nanosecond for each instruction of the lab: what took how long becomes a count.
    #[arg(long)]
    instruction_clock: bool,
    /// Bring the release build of illico.
    #[arg(long)]
    release: bool,
    /// Afterwards, print what the lab's kernel said.
    #[arg(long)]
    console: bool,
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
struct InitramfsArguments {
    /// Whose modules: 6.12 or 6.1.
    #[arg(long, default_value = "6.12", value_parser = series)]
    kernel: Series,
    /// A module to load, with all that it depends on.
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// What busybox's shell runs before the guest powers off.
    #[arg(long)]
    script: String,
    /// The file to write.
    output: PathBuf,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Lab(arguments) => lab(&arguments),
        Task::Hello => xtask::hello::run(),
        Task::Bench { report: true, .. } => xtask::bench::write_report(),
        Task::Bench { parts, pairs, .. } => xtask::bench::run(&parts, pairs),
        Task::Dist => dist(),
        Task::Initramfs(arguments) => initramfs(&arguments),
        Task::Soak { boots, cpus } => xtask::soak::run(boots, cpus),
        Task::Kernels => kernels(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        let mut source = error.source();
        while let Some(cause) = source {
            eprintln!("  because: {cause}");
            source = cause.source();
        }
        ExitCode::from(LAB_FAILED)
    })
}

fn lab(arguments: &LabArguments) -> Result<ExitCode, Error> {
    let profile = if arguments.release { Profile::Release } else { Profile::Dev };
    let mut lab = Lab::command(&arguments.command)
        .program(project::illico(profile)?)
        .timeout(Duration::from_secs(arguments.timeout))
        .cpus(arguments.cpus)
        .memory_mib(arguments.memory)
        .echo(true);
    if arguments.instruction_clock {
        lab = lab.instruction_clock();
    }
    for file in &arguments.files {
        lab = match file.split_once(':') {
            Some((host, path)) => lab.file(host, path),
            None => lab.file(file, format!("/root/{}", file_name(file))),
        };
    }
    for disk in &arguments.disks {
        let (name, image) = disk.split_once('=').unwrap_or(("disk", disk));
        lab = lab.disk(name, image, xtask::lab::Access::ReadWrite);
    }
    for module in &arguments.modules {
        lab = lab.module(module);
    }
    for path in &arguments.fetch {
        lab = lab.fetch(path);
    }
    let outcome = lab.run()?;
    if arguments.console {
        eprintln!("-- the lab's console:\n{}", outcome.console);
    }
    for path in &arguments.fetch {
        let name = file_name(path);
        std::fs::write(&name, outcome.fetched(path)?).map_err(|source| Error::File {
            action: "write",
            path: PathBuf::from(&name),
            source,
        })?;
        eprintln!("fetched {name}");
    }
    Ok(ExitCode::from(outcome.status))
}

fn dist() -> Result<ExitCode, Error> {
    let release = xtask::dist::run()?;
    for file in [&release.program, &release.package, &release.sbom, &release.checksums] {
        println!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn initramfs(arguments: &InitramfsArguments) -> Result<ExitCode, Error> {
    let init = GuestInit::new(&Kernel::get(arguments.kernel)?).modules(&arguments.modules).script(&arguments.script);
    std::fs::write(&arguments.output, init.build()?).map_err(|source| Error::File {
        action: "write",
        path: arguments.output.clone(),
        source,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn series(name: &str) -> Result<Series, String> {
    Series::ALL.into_iter().find(|series| series.name() == name).ok_or_else(|| "there are 6.12 and 6.1".to_owned())
}

fn kernels() -> Result<ExitCode, Error> {
    let mut out = std::io::stdout().lock();
    for series in Series::ALL {
        let kernel = Kernel::get(series)?;
        let parts = [("bzImage", kernel.bzimage()), ("ELF", kernel.elf()), ("modules", kernel.modules_folder())];
        for (part, path) in parts {
            // A closed pipe (`| head`) is the reader's choice.
            let _ = writeln!(out, "{} {part} {}", kernel.version, path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
