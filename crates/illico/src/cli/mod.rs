//! The command line: a file for each verb has its options, each with what it does and an example.

mod accounting;
mod boot;
mod completions;
mod cp;
mod deferred;
mod demo;
mod devices;
mod diff;
mod doctor;
mod exec;
mod exits;
mod images;
mod inspect;
mod kernel;
mod kill;
mod logs;
mod man;
mod ps;
mod rm;
mod run;
mod stats;
mod stop;
mod timeline;
mod top;
mod wait;

use clap::{Parser, Subcommand};

pub use accounting::Accounting;
pub use boot::Boot;
pub use completions::Completions;
pub use cp::Cp;
pub use deferred::Deferred;
pub use demo::Demo;
pub use devices::Devices;
pub use diff::Diff;
pub use doctor::Doctor;
pub use exec::Exec;
pub use exits::Exits;
pub use images::{Images, Import, Prune, Pull, Rmi, Unpack};
pub use inspect::Inspect;
pub use kernel::{Kernel, KernelAction};
pub use kill::Kill;
pub use logs::Logs;
pub use man::Man;
pub use ps::Ps;
pub use rm::Rm;
pub use run::Run;
pub use stats::Stats;
pub use stop::Stop;
pub use timeline::Timeline;
pub use top::Top;
pub use wait::Wait;

/// Start a kernel in a microVM of its own, and see where every VMEXIT went.
#[derive(Debug, Parser)]
#[command(name = "illico", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

/// What illico does. The options of each are [`Deferred`].
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot a kernel and join its console to this terminal.
    #[command(after_help = boot::HELP, next_line_help = true)]
    Boot(Deferred<Boot>),
    /// Run a program, an image or your own files in a kernel of their own.
    #[command(after_help = run::HELP, override_usage = run::USAGE)]
    Run(Deferred<Run>),
    /// Run one more command in a machine.
    #[command(after_help = exec::HELP)]
    Exec(Deferred<Exec>),
    /// Print what a machine in the background wrote.
    #[command(after_help = logs::HELP)]
    Logs(Deferred<Logs>),
    /// Copy files into a machine or out of it.
    #[command(after_help = cp::HELP)]
    Cp(Deferred<Cp>),
    /// List machines: those that run, or all.
    #[command(after_help = ps::HELP)]
    Ps(Deferred<Ps>),
    /// Print all that is known of a machine, as JSON.
    #[command(after_help = inspect::HELP)]
    Inspect(Deferred<Inspect>),
    /// Wait until machines have ended, and print their statuses.
    #[command(after_help = wait::HELP)]
    Wait(Deferred<Wait>),
    /// Ask machines to end, and end those that do not.
    #[command(after_help = stop::HELP)]
    Stop(Deferred<Stop>),
    /// Kill machines, or send their programs a signal.
    #[command(after_help = kill::HELP)]
    Kill(Deferred<Kill>),
    /// Remove machines that have ended.
    #[command(after_help = rm::HELP)]
    Rm(Deferred<Rm>),
    /// Print a script that completes verbs and options in a shell.
    #[command(after_help = completions::HELP)]
    Completions(Deferred<Completions>),
    /// Write man pages.
    #[command(after_help = man::HELP)]
    Man(Deferred<Man>),
    /// Show what machines do and what it costs, every few seconds.
    #[command(after_help = top::HELP)]
    Top(Deferred<Top>),
    /// Show where a machine's exits go, while it runs.
    #[command(after_help = exits::HELP)]
    Exits(Deferred<Exits>),
    /// Give the figures of running machines to programs that collect them.
    #[command(after_help = stats::HELP)]
    Stats(Deferred<Stats>),
    /// Compare the exits of two runs, or of a guest booted twice with one thing changed.
    #[command(after_help = diff::HELP)]
    Diff(Deferred<Diff>),
    /// List images.
    #[command(after_help = images::IMAGES_HELP)]
    Images(Deferred<Images>),
    /// Fetch an image from a registry, whether or not it is there already.
    #[command(after_help = images::PULL_HELP)]
    Pull(Deferred<Pull>),
    /// Make an image of a folder, a tar, a saved image or a file system.
    #[command(after_help = images::IMPORT_HELP)]
    Import(Deferred<Import>),
    /// Remove images.
    #[command(after_help = images::RMI_HELP)]
    Rmi(Deferred<Rmi>),
    /// Remove images that have no name, and what was left half done.
    #[command(after_help = images::PRUNE_HELP)]
    Prune(Deferred<Prune>),
    /// Kernels for guests: list, add, fetch, choose and remove them.
    #[command(after_help = kernel::HELP)]
    Kernel(Deferred<Kernel>),
    /// Measure here and now what a virtual machine costs, and say why.
    #[command(after_help = demo::HELP)]
    Demo(Deferred<Demo>),
    /// Say whether this host can run guests, and what to do where it cannot.
    #[command(after_help = doctor::HELP)]
    Doctor(Deferred<Doctor>),
}
