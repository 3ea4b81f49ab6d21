//! `--trace-queue`: finds the device, and writes what passes to standard error.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;

use illico_machine::machine::Machine;
use illico_memory::voice;
use illico_virtio::trace::TraceSpec;

use crate::failure::Failure;

/// Chains that are shown unless more are asked for.
const CHAINS: u32 = 64;

/// The queues to trace.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// `DEVICE[:QUEUE]`.
    pub queue: &'a str,
    /// How many chains are printed.
    pub chains: Option<u32>,
}

impl Trace<'_> {
    /// Has the machine print the chains of the queues.
    pub fn attach(self, machine: &mut Machine) -> Result<(), Failure> {
        let (device, queue) = match self.queue.split_once(':') {
            Some((device, number)) => {
                let queue = number.parse().map_err(|_| {
                    format!("--trace-queue: {number:?} is not the number of a queue; for example {device}:0")
                })?;
                (device, Some(queue))
            }
            None => (self.queue, None),
        };
        let Some(queues) = machine.queue_count(device) else {
            let names: Vec<_> = machine.device_names().collect();
            let there = if names.is_empty() { "no VirtIO device at all".to_owned() } else { names.join(", ") };
            return Err(format!("--trace-queue: there is no device {device:?}; this machine has {there}").into());
        };
        if let Some(queue) = queue.filter(|&queue: &u16| usize::from(queue) >= queues) {
            return Err(format!("--trace-queue: {device} has no queue {queue}; they are 0 to {}", queues - 1).into());
        }
        // A terminal may be raw.
        let end = if stderr().is_terminal() { "\r\n" } else { "\n" };
        let sink = Arc::new(move |lines: &str| voice::show(lines, end));
        machine.trace(device, TraceSpec::new(queue, self.chains.unwrap_or(CHAINS), sink));
        Ok(())
    }
}
