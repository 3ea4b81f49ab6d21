//! What machines do in a second: the difference of two looks.

use std::time::{Duration, Instant};

use illico_machine::report::{REASONS, Report};

use super::{TICKS, Thread, Times, look, of_process};
use crate::failure::Failure;
use crate::since::since;
use crate::vms::Vms;

/// All running machines at a moment.
#[derive(Debug)]
pub struct Moment {
    at: Instant,
    machines: Vec<(String, Report, Vec<Thread>)>,
}

/// A machine, in a second.
#[derive(Debug, Clone, Default)]
pub struct MachineRates {
    /// Its name.
    pub name: String,
    /// Exits, the host's interrupts and the monitor's own signals left out.
    pub exits: f64,
    /// Of all queues.
    pub kicks: f64,
    /// Of all queues.
    pub interrupts: f64,
    /// Of all queues.
    pub requests: f64,
    /// In both directions.
    pub bytes: f64,
    /// Of all threads.
    pub shares: Shares,
    /// Its vCPUs.
    pub vcpus: Vec<VcpuRates>,
    /// Its queues: `disk0`, number, figures.
    pub queues: Vec<QueueRates>,
}

/// A vCPU, in a second.
#[derive(Debug, Clone, Default)]
pub struct VcpuRates {
    /// Its number.
    pub number: u8,
    /// All exits, where KVM tells.
    pub exits: Option<f64>,
    /// In the order of [`REASONS`].
    pub reasons: [f64; REASONS.len()],
    /// Of its thread.
    pub shares: Shares,
}

/// A queue, in a second.
#[derive(Debug, Clone, Default)]
pub struct QueueRates {
    /// Its device.
    pub device: String,
    /// Its number.
    pub number: usize,
    /// Each an exit.
    pub kicks: f64,
    /// Raised.
    pub interrupts: f64,
    /// Batches for which none was wanted.
    pub suppressed: f64,
    /// Completed.
    pub requests: f64,
    /// Read by the device.
    pub from_guest: f64,
    /// Written by the device.
    pub to_guest: f64,
}

/// In per cent of one CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Shares {
    /// In the guest.
    pub guest: f64,
    /// In the kernel.
    pub kernel: f64,
    /// In the monitor's own code.
    pub monitor: f64,
}

impl Shares {
    fn of(times: Times, seconds: f64) -> Self {
        let share = |ticks: u64| ticks as f64 / TICKS / seconds * 100.0;
        Self { guest: share(times.guest), kernel: share(times.kernel), monitor: share(times.monitor) }
    }
}

impl Moment {
    /// Looks at all machines that run. One that ends meanwhile is not there any more.
    pub fn now() -> Result<Self, Failure> {
        let running = Vms::of_user()?.list()?;
        let look = |vm: &crate::vms::Vm| {
            let seen = look(vm).ok()?;
            Some((vm.name.to_string(), seen.report, of_process(seen.pid?)))
        };
        Ok(Self { at: Instant::now(), machines: running.iter().filter_map(look).collect() })
    }

    /// What was done since `before`, by the name. A machine that is new has done nothing yet.
    pub fn since(&self, before: &Self) -> Vec<MachineRates> {
        let passed = self.at.saturating_duration_since(before.at).max(Duration::from_millis(1)).as_secs_f64();
        let rates = |(name, report, threads): &(String, Report, Vec<Thread>)| {
            let earlier = before.machines.iter().find(|(known, ..)| known == name);
            // A machine that ended and another one of its name are told by counters that go back.
            let done = earlier.and_then(|(_, earlier, times)| Some((since(report, earlier).ok()?, times.as_slice())));
            match done {
                Some((report, times)) => of(name, &report, threads, times, passed),
                None => MachineRates { name: name.clone(), ..MachineRates::default() },
            }
        };
        self.machines.iter().map(rates).collect()
    }
}

fn of(name: &str, report: &Report, now: &[Thread], before: &[Thread], seconds: f64) -> MachineRates {
    let rate = |count: u64| count as f64 / seconds;
    let times = |thread: &Thread| {
        let earlier = before.iter().find(|other| other.name == thread.name);
        thread.times.since(earlier.map_or_else(Times::default, |thread| thread.times))
    };
    let vcpus: Vec<_> = report
        .vcpus
        .iter()
        .map(|vcpu| {
            let reason = |reason: &str| {
                let row = vcpu.reasons.iter().find(|row| row.reason == reason);
                rate(row.map_or(0, |row| row.monitor.saturating_add(row.kernel.unwrap_or(0))))
            };
            let thread = now.iter().find(|thread| thread.vcpu() == Some(vcpu.vcpu));
            VcpuRates {
                number: vcpu.vcpu,
                exits: vcpu.exits.map(rate),
                reasons: REASONS.map(reason),
                shares: Shares::of(thread.map_or_else(Times::default, times), seconds),
            }
        })
        .collect();
    let queues: Vec<_> = report
        .devices
        .iter()
        .flat_map(|device| device.queues.iter().map(move |queue| (device, queue)))
        .map(|(device, queue)| QueueRates {
            device: device.name.clone(),
            number: queue.queue,
            kicks: rate(queue.kicks),
            interrupts: rate(queue.interrupts),
            suppressed: rate(queue.suppressed),
            requests: rate(queue.requests),
            from_guest: rate(queue.bytes_from_guest),
            to_guest: rate(queue.bytes_to_guest),
        })
        .collect();
    let sum = |figure: fn(&QueueRates) -> f64| queues.iter().map(figure).sum();
    let guests = |vcpu: &VcpuRates| {
        let others =
            REASONS.iter().zip(vcpu.reasons).filter(|(reason, _)| matches!(**reason, "host-interrupt" | "signal"));
        (vcpu.exits.unwrap_or_else(|| vcpu.reasons.iter().sum()) - others.map(|(_, rate)| rate).sum::<f64>()).max(0.0)
    };
    MachineRates {
        name: name.to_owned(),
        exits: vcpus.iter().map(guests).sum(),
        kicks: sum(|queue| queue.kicks),
        interrupts: sum(|queue| queue.interrupts),
        requests: sum(|queue| queue.requests),
        bytes: sum(|queue| queue.from_guest + queue.to_guest),
        shares: Shares::of(now.iter().map(times).fold(Times::default(), |sum, times| sum + times), seconds),
        vcpus,
        queues,
    }
}
