//! The table of `--exits`.

use std::fmt::Write;

use illico_machine::report::Report;

/// The report for a terminal: by reason, by who answered, by queue.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    reasons(report, &mut out);
    if !report.monitor.is_empty() {
        let _ = writeln!(out, "\n{:<20} {:<12} {:>12}", "handled by", "access", "exits");
        for row in &report.monitor {
            let _ = writeln!(out, "{:<20} {:<12} {:>12}", row.party, row.access, row.exits);
        }
    }
    queues(report, &mut out);
    out
}

fn reasons(report: &Report, out: &mut String) {
    for vcpu in &report.vcpus {
        let total = vcpu.exits.map_or_else(|| "not told".to_owned(), |exits| exits.to_string());
        let _ = writeln!(out, "\nvCPU {}: {total} exits", vcpu.vcpu);
        let _ = writeln!(out, "{:<20} {:>12} {:>12}", "reason", "kernel", "monitor");
        for row in &vcpu.reasons {
            let kernel = row.kernel.map_or_else(|| "-".to_owned(), |count| count.to_string());
            if row.monitor > 0 || row.kernel.is_some_and(|count| count > 0) {
                let _ = writeln!(out, "{:<20} {:>12} {:>12}", row.reason, kernel, row.monitor);
            }
        }
        if vcpu.counted_twice > 0 {
            let _ = writeln!(out, "{:<20} {:>12}", "counted twice", vcpu.counted_twice);
        }
    }
}

fn queues(report: &Report, out: &mut String) {
    let busy = |queue: &&illico_machine::report::QueueReport| queue.kicks + queue.requests + queue.interrupts > 0;
    if !report.devices.iter().any(|device| device.queues.iter().any(|queue| busy(&queue))) {
        return;
    }
    let _ = writeln!(
        out,
        "\n{:<16} {:>5} {:>10} {:>10} {:>10} {:>14} {:>14}",
        "device", "queue", "kicks", "interrupts", "requests", "from guest", "to guest"
    );
    for device in &report.devices {
        for queue in device.queues.iter().filter(busy) {
            let _ = writeln!(
                out,
                "{:<16} {:>5} {:>10} {:>10} {:>10} {:>14} {:>14}",
                device.name,
                queue.queue,
                queue.kicks,
                queue.interrupts,
                queue.requests,
                queue.bytes_from_guest,
                queue.bytes_to_guest
            );
            if let Some(polling) = &queue.polling {
                let _ = writeln!(
                    out,
                    "{:<16} {:>5} polling: {} requests found, {} empty polls, {:.3} s of host CPU",
                    "",
                    "",
                    polling.found,
                    polling.empty,
                    polling.nanoseconds as f64 / 1e9
                );
            }
        }
    }
}
