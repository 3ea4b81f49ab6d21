use illico_machine::report::{DeviceReport, MonitorRow, ReasonRow, VcpuReport};

use super::*;

fn report(vcpus: &[&[(&'static str, u64, Option<u64>)]], monitor: &[(&str, u64)], kicks: u64) -> Report {
    let vcpu = |reasons: &&[(&'static str, u64, Option<u64>)]| VcpuReport {
        vcpu: 0,
        exits: reasons.iter().map(|(_, monitor, kernel)| kernel.map(|kernel| kernel + monitor)).sum(),
        reasons: reasons
            .iter()
            .map(|&(reason, monitor, kernel)| ReasonRow { reason: reason.into(), monitor, kernel })
            .collect(),
        counted_twice: 0,
    };
    let queue = QueueReport { kicks, ..QueueReport::default() };
    Report {
        schema: "".into(),
        vcpus: vcpus.iter().map(vcpu).collect(),
        monitor: monitor
            .iter()
            .map(|&(party, exits)| MonitorRow { party: party.into(), access: "mmio-write".into(), exits })
            .collect(),
        devices: vec![DeviceReport { name: "disk0".into(), kind: "block".into(), queues: vec![queue] }],
    }
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

#[test]
fn kernel_and_monitor_are_told_apart_and_vcpus_are_added() {
    let a = report(&[&[("port", 2, Some(3)), ("hlt", 0, Some(10))], &[("port", 1, Some(1))]], &[("acpi", 3)], 7);
    let b = report(&[&[("port", 2, Some(8)), ("hlt", 0, Some(5))]], &[("acpi", 1)], 0);
    let diff = Comparison::of(("a", &a), ("b", &b));
    assert_eq!(diff.total, Row::new("exits".into(), Some(17), Some(15)));
    assert_eq!(diff.kernel, [Row::new("port".into(), Some(4), Some(8)), Row::new("hlt".into(), Some(10), Some(5))]);
    assert_eq!((diff.kernel[0].difference, diff.kernel[0].ratio), (Some(4), Some(2.0)));
    assert_eq!(diff.monitor, [Row::new("acpi mmio-write".into(), Some(3), Some(1))]);
    assert_eq!(diff.queues, [Row::new("disk0/0 kicks".into(), Some(7), Some(0))]);
}

#[test]
fn what_only_one_of_them_has_is_there_in_its_place() {
    let a = report(&[], &[("pci-config", 5), ("acpi", 1)], 0);
    let b = report(&[], &[("disk0", 2), ("acpi", 1), ("ioapic", 9)], 0);
    let diff = Comparison::of(("a", &a), ("b", &b));
    let expected = ["disk0 mmio-write", "pci-config mmio-write", "acpi mmio-write", "ioapic mmio-write"];
    assert_eq!(names(&diff.monitor), expected);
    assert_eq!((diff.monitor[0].a, diff.monitor[0].b, diff.monitor[0].ratio), (Some(0), Some(2), None));
}

#[test]
fn what_one_host_does_not_count_has_no_difference() {
    let a = report(&[&[("hlt", 0, None)]], &[], 0);
    let b = report(&[&[("hlt", 0, Some(4))]], &[], 0);
    let diff = Comparison::of(("a", &a), ("b", &b));
    assert_eq!((diff.kernel[0].a, diff.kernel[0].b, diff.kernel[0].difference), (None, Some(4), None));
}

#[test]
fn a_report_beside_itself_differs_nowhere() {
    let a = report(&[&[("port", 2, Some(3))]], &[("acpi", 3)], 7);
    let diff = Comparison::of(("a", &a), ("a", &a));
    let rows = [&diff.kernel[..], &diff.monitor, &diff.queues].concat();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.difference == Some(0)), "{rows:?}");
}
