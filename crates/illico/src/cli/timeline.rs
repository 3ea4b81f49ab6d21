//! Options of every verb that runs a machine: where its time goes.

use std::path::PathBuf;

use clap::Args;

/// What shall be told of the time from exec to the end.
#[derive(Debug, Default, Args)]
pub struct Timeline {
    /// At the end, write what happened when, from exec on: monitor, KVM, the guest's kernel and its init, on one clock,
    /// as data (docs/timeline.md). Example: --timeline boot.json
    #[arg(long, value_name = "FILE.json")]
    pub timeline: Option<PathBuf>,

    /// Have the guest's kernel tell each of its initcalls as well, which slows it down. Example: --timeline-initcalls
    #[arg(long, requires = "timeline")]
    pub timeline_initcalls: bool,
}
