//! 64 KiB from a guest to its console: by a UART, and by a VirtIO console.

use std::time::Duration;

use illico_machine::config::{Config, Console as Kind};
use illico_machine::kvm::Kvm;
use illico_machine::report::Report;

use super::Clock;
use crate::failure::Failure;
use crate::show::demo::{Console, Way};
use crate::verbs::probe;

const BYTES: u64 = 65_536;
/// A UART needs an exit a byte, and a slow host some 100 microseconds an exit.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends them both ways.
pub fn measure(kvm: &Kvm, clock: &Clock) -> Result<Console, Failure> {
    // The byte's own exit only: a driver for real hardware looks at the line status as well, which is another one.
    let uart = sent(kvm, clock, "uart", Kind::Uart, "console=uart probe.lsr=off")?;
    let virtio = sent(kvm, clock, "console", Kind::Virtio, "")?;
    Ok(Console { bytes: BYTES, uart, virtio })
}

fn sent(kvm: &Kvm, clock: &Clock, experiment: &str, console: Kind, options: &str) -> Result<Way, Failure> {
    let run = |bytes: u64| {
        let cmdline = format!("{options} probe={experiment}={bytes}");
        probe::run(kvm, &Config { console, cmdline, ..probe::config("") }, LIMIT)
    };
    // What the machine does besides, such as its report, happens as well when there is nothing to send.
    let (without, with) = (run(0)?, run(BYTES)?);
    let ms = clock.milliseconds(with.figure(experiment, "cycles")?);
    Ok(Way { exits: exits(&with.report).saturating_sub(exits(&without.report)), ms })
}

/// Accesses to either console, and kicks.
fn exits(report: &Report) -> u64 {
    let accesses = report.monitor.iter().filter(|row| row.party == "uart" || row.party == "console");
    let kicks = report.devices.iter().flat_map(|device| &device.queues).map(|queue| queue.kicks);
    accesses.map(|row| row.exits).chain(kicks).sum()
}
