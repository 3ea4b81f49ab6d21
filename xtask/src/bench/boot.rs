//! From exec to the guest's init and back: a stock kernel whose PID 1 resets the machine by its first instructions.

use super::figures::{Row, Table};
use super::monitors::Monitor;
use super::script;
use crate::Error;

/// Boots the same kernel with each monitor.
pub fn measure() -> Result<Table, Error> {
    let monitors = Monitor::ALL;
    // Twice: the first reads all files into the lab's memory, the second is kept.
    let lines: Vec<String> = [monitors, monitors]
        .iter()
        .flatten()
        .map(|monitor| format!("measure {} {}", monitor.key(), monitor.command("/guests/reboot.cpio", "", &[])))
        .collect();
    let costs = script::run(&lines.join("\n"), &[])?;
    let least = costs.get(Monitor::Illico.key()).map(|cost| cost.instructions);
    let row = |monitor: &Monitor| {
        let cost = costs.get(monitor.key())?;
        let count = |reason| Some(cost.exits.count(reason) as f64);
        Some(Row {
            name: monitor.name().to_owned(),
            values: vec![
                Some(cost.exits.without_intr() as f64),
                count("IOIO"),
                count("NPF"),
                count("CPUID"),
                count("MSR"),
                Some(cost.instructions.round()),
                least.map(|least| cost.instructions / least),
            ],
        })
    };
    Ok(Table {
        id: "boot".to_owned(),
        title: "Boot to init".to_owned(),
        boundary: "From exec of the monitor to its end. Debian's 6.12 cloud kernel (uncompressed ELF), 1 vCPU, 256 MiB, a VirtIO \
                   console, `quiet`, an init that resets at once. In the lab; exits by tracepoint, without the host's own \
                   interrupts. Instructions are the lab's: the monitor's, KVM's, and the guest's."
            .to_owned(),
        columns: ["exits", "ports", "page faults, MMIO", "CPUID", "MSR", "million instructions", "ratio"].map(Into::into).to_vec(),
        rows: monitors.iter().filter_map(row).collect(),
        plotted: 0,
    })
}
