//! What was counted between two reports of the same machine.

use illico_machine::report::{MonitorRow, PollReport, QueueReport, ReasonRow, Report, VcpuReport};

/// The later report is not of the same machine, or not later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} was more then than now: is it a report of this machine, and an earlier one?")]
pub struct NotEarlier(String);

/// What `now` has more than `before`. Something that is new has all of it more.
pub fn since(now: &Report, before: &Report) -> Result<Report, NotEarlier> {
    let less = |what: &str, now: u64, before: u64| now.checked_sub(before).ok_or_else(|| NotEarlier(what.to_owned()));
    let vcpu = |now: &VcpuReport| {
        let before = before.vcpus.iter().find(|vcpu| vcpu.vcpu == now.vcpu);
        let reason = |row: &ReasonRow| {
            let earlier = before.and_then(|vcpu| vcpu.reasons.iter().find(|other| other.reason == row.reason));
            let kernel = |row: &ReasonRow| row.kernel.unwrap_or(0);
            let monitor = less(&row.reason, row.monitor, earlier.map_or(0, |row| row.monitor))?;
            // What is left over after two subtractions may be a little less than it was: the sources are not read at once.
            let more = match row.reason.as_ref() {
                "unaccounted" | "port" | "mmio" | "memory" => kernel(row).saturating_sub(earlier.map_or(0, kernel)),
                _ => less(&row.reason, kernel(row), earlier.map_or(0, kernel))?,
            };
            Ok(ReasonRow { reason: row.reason.clone(), monitor, kernel: row.kernel.map(|_| more) })
        };
        let exits = now.exits.map(|exits| less("exits", exits, before.and_then(|vcpu| vcpu.exits).unwrap_or(0)));
        let counted_twice = now.counted_twice.saturating_sub(before.map_or(0, |vcpu| vcpu.counted_twice));
        let reasons = now.reasons.iter().map(reason).collect::<Result<_, NotEarlier>>()?;
        Ok(VcpuReport { vcpu: now.vcpu, exits: exits.transpose()?, reasons, counted_twice })
    };
    let monitor = |row: &MonitorRow| {
        let same = |other: &&MonitorRow| other.party == row.party && other.access == row.access;
        let earlier = before.monitor.iter().find(same).map_or(0, |row| row.exits);
        Ok(MonitorRow { exits: less(&row.party, row.exits, earlier)?, ..row.clone() })
    };
    let mut devices = now.devices.clone();
    for device in &mut devices {
        let earlier = before.devices.iter().find(|other| other.name == device.name);
        for queue in &mut device.queues {
            if let Some(earlier) =
                earlier.and_then(|device| device.queues.iter().find(|other| other.queue == queue.queue))
            {
                *queue = queue_since(&device.name, queue, earlier)?;
            }
        }
    }
    let monitor =
        now.monitor.iter().map(monitor).filter(|row| row.as_ref().is_ok_and(|row| row.exits > 0) || row.is_err());
    Ok(Report {
        schema: now.schema.clone(),
        vcpus: now.vcpus.iter().map(vcpu).collect::<Result<_, NotEarlier>>()?,
        monitor: monitor.collect::<Result<_, _>>()?,
        devices,
    })
}

fn queue_since(device: &str, now: &QueueReport, before: &QueueReport) -> Result<QueueReport, NotEarlier> {
    let less = |now: u64, before: u64| now.checked_sub(before).ok_or_else(|| NotEarlier(device.to_owned()));
    let polling = match (&now.polling, &before.polling) {
        (Some(now), Some(before)) => Some(PollReport {
            found: less(now.found, before.found)?,
            empty: less(now.empty, before.empty)?,
            nanoseconds: less(now.nanoseconds, before.nanoseconds)?,
        }),
        (now, _) => now.clone(),
    };
    Ok(QueueReport {
        queue: now.queue,
        kicks: less(now.kicks, before.kicks)?,
        interrupts: less(now.interrupts, before.interrupts)?,
        suppressed: less(now.suppressed, before.suppressed)?,
        requests: less(now.requests, before.requests)?,
        bytes_from_guest: less(now.bytes_from_guest, before.bytes_from_guest)?,
        bytes_to_guest: less(now.bytes_to_guest, before.bytes_to_guest)?,
        polling,
    })
}

#[cfg(test)]
mod tests {
    use illico_machine::report::DeviceReport;

    use super::*;

    fn report(exits: u64, kicks: u64, acpi: u64) -> Report {
        let reasons = vec![ReasonRow { reason: "hlt".into(), monitor: 0, kernel: Some(exits) }];
        let queue = QueueReport { kicks, ..QueueReport::default() };
        Report {
            schema: "illico-exits/2".into(),
            vcpus: vec![VcpuReport { vcpu: 0, exits: Some(exits), reasons, counted_twice: 0 }],
            monitor: vec![MonitorRow { party: "acpi".into(), access: "port-write".into(), exits: acpi }],
            devices: vec![DeviceReport { name: "disk0".into(), kind: "block".into(), queues: vec![queue] }],
        }
    }

    #[test]
    fn what_was_there_before_is_taken_away() {
        let more = since(&report(100, 9, 2), &report(60, 4, 2)).unwrap();
        assert_eq!((more.vcpus[0].exits, more.vcpus[0].reasons[0].kernel), (Some(40), Some(40)));
        assert_eq!((more.devices[0].queues[0].kicks, more.monitor.len()), (5, 0));
    }

    #[test]
    fn a_report_of_something_else_is_refused() {
        let error = since(&report(100, 3, 2), &report(60, 4, 2)).unwrap_err().to_string();
        assert!(error.starts_with("disk0 was more then than now"), "{error}");
        assert!(since(&report(100, 4, 1), &report(60, 4, 2)).is_err());
        assert!(since(&report(10, 4, 2), &report(60, 4, 2)).is_err());
    }
}
