//! `illico stop`.

use clap::Args;

use crate::vms::Name;

pub const HELP: &str = "\
Example: illico stop --time 30 web

A machine of `illico run` gets SIGTERM, which its program hears as the stop signal of its image; one of `illico boot`
feels its power button. Both are ended when the time is over.";

/// Options of `illico stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// Seconds to wait before they are ended.
    #[arg(long, short, value_name = "SECONDS", default_value_t = 10)]
    pub time: u32,

    /// Machines, by name.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<Name>,
}
