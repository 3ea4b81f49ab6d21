//! `illico stats`: figures of running machines for programs that collect them.

use std::path::PathBuf;

use clap::Args;

use crate::vms::Name;

pub const HELP: &str = "\
Examples:
  illico stats --prometheus
  illico stats web --prometheus | grep illico_queue_requests_total
  illico stats --listen $XDG_RUNTIME_DIR/illico.sock
  curl --unix-socket $XDG_RUNTIME_DIR/illico.sock http://illico/metrics

Status:
  0    the figures were printed, or a signal ended --listen
  125  illico could not do what was asked";

/// Options of `illico stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Machines, by name; without any, all that run.
    #[arg(value_name = "NAME")]
    pub names: Vec<Name>,

    /// Print them once in the OpenMetrics format, which Prometheus reads (docs/watch.md lists the names).
    #[arg(long, required_unless_present = "listen", conflicts_with = "listen")]
    pub prometheus: bool,

    /// Answer each HTTP request on this unix socket with them, until SIGINT or SIGTERM. Only you can connect.
    /// Example: --listen metrics.sock
    #[arg(long, value_name = "SOCKET")]
    pub listen: Option<PathBuf>,
}
