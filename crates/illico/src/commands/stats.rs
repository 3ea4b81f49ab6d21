//! `illico stats`: figures of running machines, once or whenever a collector asks.

mod listen;

use std::io::Write;

use crate::cli::Stats;
use crate::commands::Failure;
use crate::live;
use crate::output;
use crate::output::metrics::Running;
use crate::status::Status;
use crate::vms::{Name, Vm, Vms};

/// Prints or serves.
pub fn run(options: &Stats) -> Result<Status, Failure> {
    match &options.listen {
        Some(socket) => listen::serve(socket, || text(&options.names))?,
        None => std::io::stdout().write_all(text(&options.names)?.as_bytes())?,
    }
    Ok(Status::Ended)
}

fn text(names: &[Name]) -> Result<String, Failure> {
    let vms = Vms::of_user()?;
    let running = match names {
        // One that ends while it is looked at is not there any more.
        [] => vms.list()?.iter().filter(|vm| vm.is_alive()).filter_map(|vm| look(vm).ok()).collect(),
        names => names.iter().map(|name| look(&vms.open(name)?)).collect::<Result<Vec<_>, Failure>>()?,
    };
    Ok(output::metrics::text(&running))
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
