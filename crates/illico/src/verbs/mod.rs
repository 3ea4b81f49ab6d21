//! The command line: one file a verb, with its options, its help and what it does.

mod accounting;
pub mod boot;
mod command;
mod completions;
mod cp;
mod deferred;
mod demo;
mod devices;
mod diff;
mod doctor;
mod each;
mod exec;
mod exits;
mod images;
mod import;
mod inspect;
pub mod jail;
mod kernel;
mod kill;
mod logs;
mod man;
mod probe;
mod prune;
mod ps;
mod pull;
mod rm;
mod rmi;
mod run;
mod stats;
mod stop;
mod top;
mod wait;

use std::ffi::OsString;
use std::time::Instant;

use clap::{Parser, Subcommand};

use self::deferred::Deferred;
pub use self::devices::Devices;
use crate::failure::Failure;
use crate::status::Status;

/// Start a kernel in a microVM of its own, and see where every VMEXIT went.
#[derive(Debug, Parser)]
#[command(name = "illico", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// This process is the child that `illico run -d` starts for its machine.
    #[arg(long, hide = true)]
    pub is_detached: bool,

    #[command(subcommand)]
    pub verb: Verb,
}

/// How this process was called.
#[derive(Debug)]
pub struct Called {
    /// When it began.
    pub began: Instant,
    /// All its arguments, the program's name first.
    pub arguments: Vec<OsString>,
    /// Whether it is the child that `illico run -d` starts for its machine.
    pub is_detached: bool,
}

/// What illico does. The options of each are [`Deferred`].
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot a kernel and join its console to this terminal.
    #[command(after_help = boot::HELP, next_line_help = true)]
    Boot(Deferred<boot::Boot>),
    /// Run a program, an image or your own files in a kernel of their own.
    #[command(after_help = run::HELP, override_usage = run::USAGE)]
    Run(Deferred<run::Run>),
    /// Run one more command in a machine.
    #[command(after_help = exec::HELP)]
    Exec(Deferred<exec::Exec>),
    /// Print what a machine in the background wrote.
    #[command(after_help = logs::HELP)]
    Logs(Deferred<logs::Logs>),
    /// Copy files into a machine or out of it.
    #[command(after_help = cp::HELP)]
    Cp(Deferred<cp::Cp>),
    /// List machines: those that run, or all.
    #[command(after_help = ps::HELP)]
    Ps(Deferred<ps::Ps>),
    /// Print the record of a machine as JSON.
    #[command(after_help = inspect::HELP)]
    Inspect(Deferred<inspect::Inspect>),
    /// Wait until machines have ended, and print their statuses.
    #[command(after_help = wait::HELP)]
    Wait(Deferred<wait::Wait>),
    /// Ask machines to end, and end those that do not.
    #[command(after_help = stop::HELP)]
    Stop(Deferred<stop::Stop>),
    /// Kill machines, or send their programs a signal.
    #[command(after_help = kill::HELP)]
    Kill(Deferred<kill::Kill>),
    /// Remove machines that have ended.
    #[command(after_help = rm::HELP)]
    Rm(Deferred<rm::Rm>),
    /// Print a script that completes verbs and options in a shell.
    #[command(after_help = completions::HELP)]
    Completions(Deferred<completions::Completions>),
    /// Write man pages.
    #[command(after_help = man::HELP)]
    Man(Deferred<man::Man>),
    /// Show what machines do and what it costs, every few seconds.
    #[command(after_help = top::HELP)]
    Top(Deferred<top::Top>),
    /// Show where a machine's exits go, while it runs.
    #[command(after_help = exits::HELP)]
    Exits(Deferred<exits::Exits>),
    /// Export Prometheus metrics of running machines.
    #[command(after_help = stats::HELP)]
    Stats(Deferred<stats::Stats>),
    /// Compare the exits of two runs, or of a guest booted twice with one thing changed.
    #[command(after_help = diff::HELP)]
    Diff(Deferred<diff::Diff>),
    /// List images.
    #[command(after_help = images::HELP)]
    Images(Deferred<images::Images>),
    /// Fetch an image from a registry, whether or not it is there already.
    #[command(after_help = pull::HELP)]
    Pull(Deferred<pull::Pull>),
    /// Make an image of a folder, a tar, a saved image or a file system.
    #[command(after_help = import::HELP)]
    Import(Deferred<import::Import>),
    /// Remove images.
    #[command(after_help = rmi::HELP)]
    Rmi(Deferred<rmi::Rmi>),
    /// Remove images that have no name, and what was left half done.
    #[command(after_help = prune::HELP)]
    Prune(Deferred<prune::Prune>),
    /// Kernels for guests: list, add, fetch, choose and remove them.
    #[command(after_help = kernel::HELP)]
    Kernel(Deferred<kernel::Kernel>),
    /// Measure on this host what a virtual machine costs, and explain why.
    #[command(after_help = demo::HELP)]
    Demo(Deferred<demo::Demo>),
    /// Say whether this host can run guests, and what to do where it cannot.
    #[command(after_help = doctor::HELP)]
    Doctor(Deferred<doctor::Doctor>),
}
impl Verb {
    /// Does it.
    pub fn run(&self, called: &Called) -> Result<Status, Failure> {
        match self {
            Self::Boot(options) => boot::run(options, called.began),
            Self::Run(options) => run::run(options, called),
            Self::Exec(options) => exec::run(options),
            Self::Logs(options) => logs::run(options),
            Self::Cp(options) => cp::run(options),
            Self::Ps(options) => ps::run(options),
            Self::Inspect(options) => inspect::run(options),
            Self::Wait(options) => wait::run(options),
            Self::Stop(options) => stop::run(options),
            Self::Kill(options) => kill::run(options),
            Self::Rm(options) => rm::run(options),
            Self::Completions(options) => completions::run(options),
            Self::Man(options) => man::run(options),
            Self::Top(options) => top::run(options),
            Self::Exits(options) => exits::run(options),
            Self::Stats(options) => stats::run(options),
            Self::Diff(options) => diff::run(options),
            Self::Images(options) => images::run(options),
            Self::Pull(options) => pull::run(options),
            Self::Import(options) => import::run(options),
            Self::Rmi(options) => rmi::run(options),
            Self::Prune(options) => prune::run(options),
            Self::Kernel(options) => kernel::run(options),
            Self::Demo(options) => demo::run(options),
            Self::Doctor(options) => doctor::run(options),
        }
    }
}
