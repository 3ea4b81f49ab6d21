//! The command line: a file for each verb has its options, each with what it does and an example.

mod boot;
mod doctor;

use clap::{Parser, Subcommand};

pub use boot::Boot;
pub use doctor::Doctor;

/// Start a kernel in a microVM of its own, and see where every VMEXIT went.
#[derive(Debug, Parser)]
#[command(name = "illico", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

/// What illico does.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot a kernel and join its console to this terminal.
    #[command(after_help = boot::HELP, next_line_help = true)]
    Boot(Box<Boot>),
    /// Say whether this host can run guests, and what to do where it cannot.
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
}
