//! The command line: a file for each verb has its options, each with what it does and an example.

mod boot;
mod deferred;
mod doctor;
mod inspect;
mod kill;
mod ps;
mod rm;
mod stop;
mod wait;

use clap::{Parser, Subcommand};

pub use boot::Boot;
pub use deferred::Deferred;
pub use doctor::Doctor;
pub use inspect::Inspect;
pub use kill::Kill;
pub use ps::Ps;
pub use rm::Rm;
pub use stop::Stop;
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
    /// Say whether this host can run guests, and what to do where it cannot.
    #[command(after_help = doctor::HELP)]
    Doctor(Deferred<Doctor>),
}
