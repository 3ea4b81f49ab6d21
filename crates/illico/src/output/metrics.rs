//! The figures of machines in the text formats of collectors: OpenMetrics 1.0 (<https://github.com/prometheus/OpenMetrics>)
//! and the older one of Prometheus, 0.0.4. docs/watch.md lists the names, which are the same in both.

use std::fmt::Write;

use crate::show::live::{TICKS, Thread};

/// A machine that runs.
#[derive(Debug)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// What it runs, if it is known.
    pub image: Option<String>,
    /// Its figures.
    pub report: illico_machine::report::Report,
    /// The threads of its monitor.
    pub threads: Vec<Thread>,
}

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0: a family is named without what its samples end in, has a unit, and the text has an end.
    OpenMetrics,
    /// Prometheus 0.0.4: a family is named as its samples are.
    Prometheus,
}

impl Format {
    /// The media type of HTTP.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A text that is being written.
struct Text {
    out: String,
    format: Format,
}

/// A family of metrics being written; one without a sample is not mentioned.
struct Family<'a> {
    out: &'a mut Text,
    name: &'static str,
    /// What comes before its first sample.
    head: Option<String>,
}

impl<'a> Family<'a> {
    fn counter(out: &'a mut Text, name: &'static str, unit: &str, help: &str) -> Self {
        let (family, unit) = match out.format {
            Format::OpenMetrics if unit.is_empty() => (name.to_owned(), String::new()),
            Format::OpenMetrics => (name.to_owned(), format!("# UNIT {name} {unit}\n")),
            Format::Prometheus => (format!("{name}_total"), String::new()),
        };
        Self { out, name, head: Some(format!("# TYPE {family} counter\n{unit}# HELP {family} {help}\n")) }
    }

    fn count(&mut self, labels: &[(&str, &str)], value: u64) {
        self.sample(labels, &value.to_string());
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: &str) {
        let out = &mut self.out.out;
        out.push_str(&self.head.take().unwrap_or_default());
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(out, "{}_total{{{}}} {value}", self.name, labels.join(","));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All of them; in OpenMetrics, with the end that says that nothing is missing.
pub fn text(machines: &[Running], format: Format) -> String {
    let mut text = Text { out: String::new(), format };
    let out = &mut text.out;
    let _ = writeln!(out, "# TYPE illico_machines gauge\n# HELP illico_machines How many machines run.");
    let _ = writeln!(out, "illico_machines {}", machines.len());
    if !machines.is_empty() {
        out.push_str(match format {
            Format::OpenMetrics => "# TYPE illico_vm info\n# HELP illico_vm Machines that run.\n",
            Format::Prometheus => "# TYPE illico_vm_info gauge\n# HELP illico_vm_info Machines that run.\n",
        });
    }
    for Running { name, image, .. } in machines {
        let image = escaped(image.as_deref().unwrap_or_default());
        let _ = writeln!(out, "illico_vm_info{{vm=\"{}\",image=\"{image}\"}} 1", escaped(name));
    }
    vcpus(machines, &mut text);
    queues(machines, &mut text);
    threads(machines, &mut text);
    if format == Format::OpenMetrics {
        text.out.push_str("# EOF\n");
    }
    text.out
}

fn vcpus(machines: &[Running], out: &mut Text) {
    let help = "Exits of a vCPU by reason, handled in the kernel or by the monitor.";
    let mut exits = Family::counter(out, "illico_vcpu_exits", "", help);
    for Running { name: vm, report, .. } in machines {
        for vcpu in &report.vcpus {
            let number = vcpu.vcpu.to_string();
            for row in &vcpu.reasons {
                let labels = |by| [("vm", vm.as_str()), ("vcpu", &number), ("reason", &row.reason), ("handled", by)];
                if let Some(kernel) = row.kernel {
                    exits.count(&labels("kernel"), kernel);
                }
                if row.kernel.is_none() || row.monitor > 0 {
                    exits.count(&labels("monitor"), row.monitor);
                }
            }
        }
    }
    let help = "Exits handled by the monitor, by device and access.";
    let mut exits = Family::counter(out, "illico_monitor_exits", "", help);
    for Running { name: vm, report, .. } in machines {
        for row in &report.monitor {
            exits.count(&[("vm", vm), ("party", &row.party), ("access", &row.access)], row.exits);
        }
    }
}

fn queues(machines: &[Running], out: &mut Text) {
    type Figure = fn(&illico_machine::report::QueueReport) -> Option<u64>;
    let figures: [(&'static str, &str, Figure); 6] = [
        ("illico_queue_kicks", "Kicks, each an exit that the kernel handled.", |queue| Some(queue.kicks)),
        ("illico_queue_interrupts", "Interrupts raised.", |queue| Some(queue.interrupts)),
        ("illico_queue_suppressed_interrupts", "Batches for which the guest wanted no interrupt.", |queue| {
            Some(queue.suppressed)
        }),
        ("illico_queue_requests", "Requests completed.", |queue| Some(queue.requests)),
        ("illico_queue_polls_found", "Polls of a queue that found a request.", |queue| {
            queue.polling.as_ref().map(|polling| polling.found)
        }),
        ("illico_queue_polls_empty", "Polls of a queue that found nothing.", |queue| {
            queue.polling.as_ref().map(|polling| polling.empty)
        }),
    ];
    for (name, help, figure) in figures {
        let mut family = Family::counter(out, name, "", help);
        each_queue(machines, |labels, queue| {
            if let Some(value) = figure(queue) {
                family.count(labels, value);
            }
        });
    }
    let mut bytes = Family::counter(out, "illico_queue_bytes", "bytes", "Bytes moved by completed requests.");
    each_queue(machines, |labels, queue| {
        for (direction, value) in [("from_guest", queue.bytes_from_guest), ("to_guest", queue.bytes_to_guest)] {
            bytes.count(&[labels, &[("direction", direction)]].concat(), value);
        }
    });
    let help = "Host CPU time spent looking at a polled queue.";
    let mut looking = Family::counter(out, "illico_queue_polling_seconds", "seconds", help);
    each_queue(machines, |labels, queue| {
        if let Some(polling) = &queue.polling {
            looking.sample(labels, &format!("{:.9}", polling.nanoseconds as f64 / 1e9));
        }
    });
}

fn each_queue(machines: &[Running], mut action: impl FnMut(&[(&str, &str)], &illico_machine::report::QueueReport)) {
    for Running { name: vm, report, .. } in machines {
        for device in &report.devices {
            for queue in &device.queues {
                let number = queue.queue.to_string();
                action(&[("vm", vm), ("device", &device.name), ("queue", &number)], queue);
            }
        }
    }
}

fn threads(machines: &[Running], out: &mut Text) {
    let help = "CPU time of a monitor's threads in the guest, in the kernel, and in the monitor itself.";
    let mut seconds = Family::counter(out, "illico_thread_seconds", "seconds", help);
    for Running { name: vm, threads, .. } in machines {
        for thread in threads {
            let times = thread.times;
            for (place, ticks) in [("guest", times.guest), ("kernel", times.kernel), ("monitor", times.monitor)] {
                let labels = [("vm", vm.as_str()), ("thread", &thread.name), ("in", place)];
                seconds.sample(&labels, &format!("{:.2}", ticks as f64 / TICKS));
            }
        }
    }
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
