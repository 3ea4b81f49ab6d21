//! `illico top --json`: the same figures for programs, a document a line (docs/watch.md has the fields).

use illico_machine::report::REASONS;
use serde_json::{Map, Value, json};

use crate::show::live::{MachineRates, QueueRates, Shares, VcpuRates};

/// One look at all machines, on one line. Every figure is that of a second.
pub fn line(rates: &[MachineRates], interval: u64) -> String {
    let machines: Vec<_> = rates.iter().map(machine).collect();
    let document = json!({ "schema": "illico-top/1", "interval_seconds": interval, "machines": machines });
    format!("{document}\n")
}

fn machine(machine: &MachineRates) -> Value {
    json!({
        "name": machine.name,
        "exits": figure(machine.exits),
        "kicks": figure(machine.kicks),
        "interrupts": figure(machine.interrupts),
        "requests": figure(machine.requests),
        "bytes": figure(machine.bytes),
        "cpu_percent": shares(machine.shares),
        "vcpus": machine.vcpus.iter().map(vcpu).collect::<Vec<_>>(),
        "queues": machine.queues.iter().map(queue).collect::<Vec<_>>(),
    })
}

fn vcpu(vcpu: &VcpuRates) -> Value {
    let reasons: Map<_, _> =
        REASONS.iter().zip(vcpu.reasons).map(|(reason, rate)| ((*reason).to_owned(), figure(rate))).collect();
    json!({
        "vcpu": vcpu.number,
        "exits": vcpu.exits.map(figure),
        "reasons": reasons,
        "cpu_percent": shares(vcpu.shares),
    })
}

fn queue(queue: &QueueRates) -> Value {
    json!({
        "device": queue.device,
        "queue": queue.number,
        "kicks": figure(queue.kicks),
        "interrupts": figure(queue.interrupts),
        "suppressed": figure(queue.suppressed),
        "requests": figure(queue.requests),
        "bytes_from_guest": figure(queue.from_guest),
        "bytes_to_guest": figure(queue.to_guest),
    })
}

fn shares(shares: Shares) -> Value {
    json!({ "guest": figure(shares.guest), "kernel": figure(shares.kernel), "monitor": figure(shares.monitor) })
}

/// To a thousandth: more is not known.
fn figure(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_one_line_of_json_with_every_reason_by_its_name() {
        let vcpu =
            VcpuRates { number: 1, exits: Some(12.0), reasons: [1.0 / 3.0; REASONS.len()], shares: Shares::default() };
        let queue = QueueRates { device: "disk0".into(), kicks: 2.0, requests: 8.0, ..QueueRates::default() };
        let rates = [MachineRates {
            name: "web".into(),
            exits: 12.0,
            vcpus: vec![vcpu],
            queues: vec![queue],
            ..MachineRates::default()
        }];
        let text = line(&rates, 2);
        assert_eq!(text.lines().count(), 1);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&document["schema"], &document["interval_seconds"]), (&json!("illico-top/1"), &json!(2)));
        let machine = &document["machines"][0];
        assert_eq!((&machine["name"], &machine["exits"]), (&json!("web"), &json!(12.0)));
        let reasons = machine["vcpus"][0]["reasons"].as_object().unwrap();
        assert_eq!((reasons.len(), &reasons["unaccounted"]), (REASONS.len(), &json!(0.333)));
        assert_eq!(
            (&machine["queues"][0]["device"], &machine["queues"][0]["requests"]),
            (&json!("disk0"), &json!(8.0))
        );
    }

    #[test]
    fn nothing_that_runs_is_a_document_as_well() {
        let document: Value = serde_json::from_str(&line(&[], 5)).unwrap();
        assert_eq!(document["machines"], json!([]));
    }
}
