//! Options of every verb that runs a machine: where its time goes.

use std::path::PathBuf;

use clap::Args;

/// What to report of the time from exec to the end.
#[derive(Debug, Default, Args)]
pub struct TimelineOptions {
    /// At the end, write what happened when, from exec on: monitor, KVM, the guest's kernel and its init, on one clock,
    /// as a picture, a page or data (docs/timeline.md). Example: --timeline boot.svg
    #[arg(long, value_name = "FILE.svg|.html|.json")]
    pub timeline: Option<PathBuf>,

    /// Have the guest's kernel tell each of its initcalls as well, which slows it down. Example: --timeline-initcalls
    #[arg(long)]
    pub timeline_initcalls: bool,

    /// At the end, say what took longest, and what would remove it, as far as there is evidence. Example: --why-slow
    #[arg(long)]
    pub why_slow: bool,
}
