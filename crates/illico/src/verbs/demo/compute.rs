//! The same computation, from the same source, on the host and in a guest, in turns.

use std::hint::black_box;
use std::time::Duration;

use illico_machine::arch::kvm::cycles;
use illico_machine::config::{Config, Console};
use illico_machine::kvm::Kvm;
use illico_machine::report::Report;
use illico_probe_compute::compute;

use super::Clock;
use crate::failure::Failure;
use crate::show::demo::{Compute, Spread};
use crate::verbs::probe::{self, Heard};

/// Less than a millisecond: short enough that most of them are not interrupted.
const ROUNDS: u64 = 200_000;
/// Machines, and how often each computes.
const MACHINES: usize = 6;
const TIMES: usize = 8;
const LIMIT: Duration = Duration::from_secs(10);

/// Computes in turns.
pub fn measure(kvm: &Kvm, clock: &Clock) -> Result<Compute, Failure> {
    let (mut host, mut guest, mut exits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..MACHINES {
        let mut expected = 0;
        for _ in 0..TIMES {
            let before = cycles();
            expected = black_box(compute(black_box(ROUNDS)));
            host.push(cycles().wrapping_sub(before));
        }
        // The same lines are said either way, so that what they cost is in both.
        let (nothing, heard) = (computing(kvm, 1)?, computing(kvm, ROUNDS)?);
        for result in heard.figures("compute", "result")? {
            if result != expected {
                return Err(format!("the guest computed {result:#x}, and the host {expected:#x}").into());
            }
        }
        guest.extend(heard.figures("compute", "cycles")?);
        exits.extend(exits_of(&heard.report).zip(exits_of(&nothing.report)));
    }
    let spread = |ticks: Vec<u64>| Spread::of(ticks.into_iter().map(|ticks| clock.milliseconds(ticks)).collect());
    let (host_ms, guest_ms) = (spread(host), spread(guest));
    let caused: u64 = exits.iter().map(|(with, without)| with.saturating_sub(*without)).sum();
    let exits = (!exits.is_empty()).then(|| caused as f64 / (exits.len() * TIMES) as f64);
    Ok(Compute { rounds: ROUNDS, ratio: guest_ms.ratio(&host_ms), host_ms, guest_ms, exits })
}

/// A machine that computes a given number of times.
fn computing(kvm: &Kvm, rounds: u64) -> Result<Heard, Failure> {
    let experiments = vec![format!("compute={rounds}"); TIMES].join(",");
    let config = Config { console: Console::Virtio, cmdline: format!("probe={experiments}"), ..probe::config("") };
    let heard = probe::run(kvm, &config, LIMIT)?;
    match heard.figures("compute", "cycles")?.len() {
        TIMES => Ok(heard),
        told => Err(format!("a guest was to compute {TIMES} times, and told of {told}").into()),
    }
}

fn exits_of(report: &Report) -> Option<u64> {
    report.vcpus.first()?.exits
}
