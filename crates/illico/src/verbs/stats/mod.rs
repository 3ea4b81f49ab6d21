//! `illico stats`: figures of running machines, once or whenever a collector asks.

mod listen;

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::output::metrics::{Format, Running};
use crate::show::live;
use crate::status::Status;
use crate::vms::{Name, Vm, Vms};

pub const HELP: &str = "\
Examples:
  illico stats --prometheus
  illico stats --openmetrics
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

    /// Print them once in the text format 0.0.4 of Prometheus (docs/watch.md lists the names).
    #[arg(long, required_unless_present_any = ["listen", "openmetrics"], conflicts_with_all = ["listen", "openmetrics"])]
    pub prometheus: bool,

    /// Print them once in the format OpenMetrics 1.0.
    #[arg(long, conflicts_with = "listen")]
    pub openmetrics: bool,

    /// Answer each HTTP request on this unix socket with them, until SIGINT or SIGTERM: in OpenMetrics if its Accept names
    /// that, otherwise in the format of Prometheus. Only you can connect.
    /// Example: --listen metrics.sock
    #[arg(long, value_name = "SOCKET")]
    pub listen: Option<PathBuf>,
}

/// Prints or serves.
pub fn run(options: &Stats) -> Result<Status, Failure> {
    match &options.listen {
        Some(socket) => listen::serve(socket, |format| text(&options.names, format))?,
        None if options.openmetrics => output::print(&text(&options.names, Format::OpenMetrics)?)?,
        None => output::print(&text(&options.names, Format::Prometheus)?)?,
    }
    Ok(Status::Ended)
}

fn text(names: &[Name], format: Format) -> Result<String, Failure> {
    let vms = Vms::of_user()?;
    let running = match names {
        // One that ends while it is looked at is not there any more.
        [] => vms.list()?.iter().filter(|vm| vm.is_alive()).filter_map(|vm| look(vm).ok()).collect(),
        names => names.iter().map(|name| look(&vms.open(name)?)).collect::<Result<Vec<_>, Failure>>()?,
    };
    Ok(output::metrics::text(&running, format))
}

fn look(vm: &Vm) -> Result<Running, Failure> {
    let seen = live::look(vm)?;
    let pid = seen.pid.ok_or_else(|| format!("{} does not run; `illico ps` lists what does", vm.name))?;
    Ok(Running {
        name: vm.name.to_string(),
        image: vm.record.as_ref().and_then(|record| record.asked.image.clone()),
        report: seen.report,
        threads: live::of_process(pid),
    })
}
