use std::io::Write;
use std::process::{Command, Stdio};

use illico_machine::report::{DeviceReport, MonitorRow, PollReport, QueueReport, ReasonRow, Report, VcpuReport};
use openmetrics_parser::openmetrics::parse_openmetrics;
use openmetrics_parser::{MetricsExposition, OpenMetricsType, OpenMetricsValue};

use super::*;
use crate::show::live::Thread;

fn machine(name: &str) -> Running {
    let row = |reason: &'static str, monitor, kernel| ReasonRow { reason: reason.into(), monitor, kernel };
    let polling = Some(PollReport { found: 4, empty: 5, nanoseconds: 1_500_000_000 });
    let queue = QueueReport { kicks: 6, requests: 7, bytes_to_guest: 8, polling, ..QueueReport::default() };
    Running {
        name: name.to_owned(),
        image: Some("a \"name\"\\with\nall".to_owned()),
        report: Report {
            schema: "".into(),
            vcpus: vec![VcpuReport {
                vcpu: 0,
                exits: Some(30),
                reasons: vec![row("port", 1, Some(2)), row("eoi", 3, None), row("unaccounted", 0, Some(24))],
                counted_twice: 0,
            }],
            monitor: vec![MonitorRow { party: "acpi".into(), access: "port-write".into(), exits: 1 }],
            devices: vec![DeviceReport { name: "disk0".into(), kind: "block".into(), queues: vec![queue] }],
        },
        threads: vec![Thread { name: "vcpu0".into(), times: Default::default() }],
    }
}

/// A second implementation of the format, which is stricter than a collector is.
fn parsed(text: &str) -> MetricsExposition<OpenMetricsType, OpenMetricsValue> {
    parse_openmetrics(text).unwrap_or_else(|error| panic!("{error:?} in:\n{text}"))
}

fn sample(text: &str, line: &str) {
    assert!(text.lines().any(|known| known == line), "no {line} in:\n{text}");
}

#[test]
fn a_parser_that_others_wrote_finds_every_family() {
    let text = text(&[machine("one"), machine("two")], Format::OpenMetrics);
    let families = parsed(&text).families;
    let mut names: Vec<_> = families.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "illico_machines",
            "illico_monitor_exits",
            "illico_queue_bytes",
            "illico_queue_interrupts",
            "illico_queue_kicks",
            "illico_queue_polling_seconds",
            "illico_queue_polls_empty",
            "illico_queue_polls_found",
            "illico_queue_requests",
            "illico_queue_suppressed_interrupts",
            "illico_thread_seconds",
            "illico_vcpu_exits",
            "illico_vm",
        ]
    );
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn figures_have_the_labels_that_tell_them_apart() {
    let text = text(&[machine("one")], Format::OpenMetrics);
    for line in [
        "illico_vm_info{vm=\"one\",image=\"a \\\"name\\\"\\\\with\\nall\"} 1",
        "illico_vcpu_exits_total{vm=\"one\",vcpu=\"0\",reason=\"port\",handled=\"kernel\"} 2",
        "illico_vcpu_exits_total{vm=\"one\",vcpu=\"0\",reason=\"port\",handled=\"monitor\"} 1",
        "illico_vcpu_exits_total{vm=\"one\",vcpu=\"0\",reason=\"eoi\",handled=\"monitor\"} 3",
        "illico_vcpu_exits_total{vm=\"one\",vcpu=\"0\",reason=\"unaccounted\",handled=\"kernel\"} 24",
        "illico_monitor_exits_total{vm=\"one\",party=\"acpi\",access=\"port-write\"} 1",
        "illico_queue_kicks_total{vm=\"one\",device=\"disk0\",queue=\"0\"} 6",
        "illico_queue_bytes_total{vm=\"one\",device=\"disk0\",queue=\"0\",direction=\"to_guest\"} 8",
        "illico_queue_polling_seconds_total{vm=\"one\",device=\"disk0\",queue=\"0\"} 1.500000000",
        "illico_thread_seconds_total{vm=\"one\",thread=\"vcpu0\",in=\"guest\"} 0.00",
    ] {
        sample(&text, line);
    }
}

#[test]
fn no_machine_is_no_error() {
    let text = text(&[], Format::OpenMetrics);
    parsed(&text);
    sample(&text, "illico_machines 0");
}

/// What `promtool check metrics` says: it reads the older format, and knows how metrics are to be named.
#[test]
fn promtool_has_nothing_to_say_against_the_older_format() {
    let text = text(&[machine("one"), machine("two")], Format::Prometheus);
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool =
        promtool.spawn().unwrap_or_else(|error| panic!("promtool of Debian's package prometheus: {error}"));
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said} of:\n{text}");
}

#[test]
fn both_formats_have_the_same_samples() {
    let machines = [machine("one"), machine("two")];
    let samples = |format| {
        let text = text(&machines, format);
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(samples(Format::OpenMetrics), samples(Format::Prometheus));
    assert!(samples(Format::Prometheus).len() > 20);
}
