//! Exits over time: a thread of its own reads at intervals the counters that are kept anyway.
//!
//! So a timeline costs the vCPUs nothing: they count as ever. The number of samples is bounded; when they are
//! all taken, every second one is dropped and the thread looks half as often.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::exits::{Access, Party, VcpuExits};
use crate::kicks::KickCount;
use crate::kvm::{StatsReader, Vm};
use crate::spans::Spans;
use crate::threads::{self, Role};

/// The interval at first.
const FIRST_INTERVAL: Duration = Duration::from_millis(2);
/// Samples at most.
const MAX_SAMPLES: usize = 512;

/// Reasons that are sampled: words of docs/exits.md, in the order of the table. Of all vCPUs together, so that kicks, which
/// are known by queue, have their place among them.
pub const REASONS: [&str; 8] =
    ["port", "mmio", "kick", "memory", "hlt", "interrupt-window", "host-interrupt", "unaccounted"];

/// The counters of KVM that they come from.
const STATS: [&str; 10] = [
    "exits",
    "io_exits",
    "mmio_exits",
    "pf_taken",
    "pf_emulate",
    "halt_exits",
    "irq_window_exits",
    "irq_exits",
    "halt_wait_ns",
    "halt_poll_success_ns",
];

/// All vCPUs at one moment. Counts are since the machine was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Nanoseconds on the timeline.
    pub at: u64,
    /// All exits by [`REASONS`].
    pub reasons: [u64; REASONS.len()],
    /// Exits that came up, by [`Party`]: those of [`Party::FIXED`], then devices.
    pub parties: Vec<u64>,
    /// Nanoseconds that vCPUs were halted for.
    pub halted: u64,
}

/// What was seen of a machine's exits while it ran.
#[derive(Debug, Clone, Default)]
pub struct ExitSamples {
    /// In order of time.
    pub samples: Vec<Sample>,
    /// Names of `parties`.
    pub parties: Vec<String>,
    /// Pages by which KVM has mapped memory at the end, of 4 KiB and of 2 MiB, where it tells.
    pub pages: Option<(u64, u64)>,
}

/// The thread that takes samples.
#[derive(Debug)]
pub struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<ExitSamples>,
}

impl Sampler {
    /// Starts sampling these vCPUs of this machine, whose devices have these names and queues these kicks.
    pub fn start(
        vm: Option<Arc<Vm>>,
        vcpus: Vec<(Arc<VcpuExits>, Option<StatsReader>)>,
        devices: impl Iterator<Item = String>,
        kicks: Vec<KickCount>,
        spans: Spans,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let fixed = Party::FIXED.into_iter().map(|party| party.name().to_owned());
        let parties: Vec<String> = fixed.chain(devices).collect();
        let body = move || {
            let (mut interval, mut samples) = (FIRST_INTERVAL, Vec::with_capacity(MAX_SAMPLES + 1));
            loop {
                samples.push(look(spans.now(), &vcpus, parties.len(), &kicks));
                if samples.len() == MAX_SAMPLES {
                    thin(&mut samples);
                    interval *= 2;
                }
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            samples.push(look(spans.now(), &vcpus, parties.len(), &kicks));
            let stats = vm.and_then(|vm| vm.stats().ok().flatten());
            let pages = stats.and_then(|stats| Some((stats.get("pages_4k")?, stats.get("pages_2m")?)));
            ExitSamples { samples, parties, pages }
        };
        let thread = threads::spawn(Role::Sampler, "timeline", body)?;
        Ok(Self { stop, thread })
    }

    /// Takes a last sample and returns all of them.
    pub fn stop(self) -> ExitSamples {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}

/// Drops every second one, but keeps the first.
fn thin(samples: &mut Vec<Sample>) {
    let mut index = 0;
    samples.retain(|_| {
        index += 1;
        index % 2 == 1
    });
}

fn look(at: u64, vcpus: &[(Arc<VcpuExits>, Option<StatsReader>)], parties: usize, kicks: &[KickCount]) -> Sample {
    let mut sample = Sample { at, parties: vec![0; parties], ..Sample::default() };
    // Before KVM's totals, which have them all: a kick in between is unaccounted until the next look.
    let kicks = kicks.iter().filter_map(KickCount::now).fold(0, u64::saturating_add);
    let mut sums = Vec::new();
    for (exits, stats) in vcpus {
        let devices = (0..parties.saturating_sub(Party::FIXED.len())).map(|index| Party::Device(index as u16));
        for (sum, party) in sample.parties.iter_mut().zip(Party::FIXED.into_iter().chain(devices)) {
            *sum += Access::ALL.into_iter().map(|access| exits.get(party, access)).sum::<u64>();
        }
        let Some(values) = stats.as_ref().and_then(StatsReader::read) else { continue };
        sums.resize(values.len(), 0);
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    (sample.reasons, sample.halted) = reasons_of(&sums, kicks);
    sample
}

/// The wanted counters of one vCPU.
pub fn wanted() -> &'static [&'static str] {
    &STATS
}

/// Counters of all vCPUs, and kicks, as reasons and nanoseconds halted.
fn reasons_of(values: &[u64], kicks: u64) -> ([u64; REASONS.len()], u64) {
    let value = |index: usize| values.get(index).copied().unwrap_or(0);
    // A write to a read-only page faults and is then emulated: it is an MMIO exit already.
    let memory = value(3).saturating_sub(value(4));
    // Where KVM tells nothing, kicks alone would be the only reason that there is.
    let kicks = kicks.min(value(0));
    let named = [value(1), value(2), kicks, memory, value(5), value(6), value(7)];
    let unaccounted = value(0).saturating_sub(named.iter().sum());
    let [port, mmio, kick, memory, hlt, window, host] = named;
    ([port, mmio, kick, memory, hlt, window, host, unaccounted], value(8) + value(9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{Part, PlatformAccess};

    #[test]
    fn what_no_source_explains_is_unaccounted() {
        // exits, io, mmio, pf_taken, pf_emulate, halt, window, irq, halt_wait, halt_poll
        let (reasons, halted) = reasons_of(&[100, 10, 20, 15, 5, 3, 2, 1, 4000, 500], 14);
        assert_eq!(reasons, [10, 20, 14, 10, 3, 2, 1, 40]);
        assert_eq!(halted, 4500);
        assert_eq!(reasons_of(&[], 14), ([0; REASONS.len()], 0), "KVM tells nothing");
    }

    #[test]
    fn thinning_keeps_the_first_and_every_second() {
        let mut samples: Vec<_> = (0..7).map(|at| Sample { at, ..Sample::default() }).collect();
        thin(&mut samples);
        assert_eq!(samples.iter().map(|sample| sample.at).collect::<Vec<_>>(), [0, 2, 4, 6]);
    }

    #[test]
    fn exits_that_came_up_are_sampled_where_kvm_tells_nothing() {
        let exits = Arc::new(VcpuExits::new(1));
        exits.count(Party::Platform(Part::Uart), Access::Platform(PlatformAccess::PortWrite));
        exits.count(Party::Device(0), Access::MmioWrite);
        exits.count(Party::Device(0), Access::MmioRead);
        let sampler =
            Sampler::start(None, vec![(exits, None)], ["disk0".to_owned()].into_iter(), vec![], Spans::default())
                .unwrap();
        let seen = sampler.stop();
        assert_eq!(seen.parties.last().map(String::as_str), Some("disk0"));
        let last = seen.samples.last().unwrap();
        assert_eq!(last.parties, [0, 0, 0, 0, 1, 0, 2]);
        assert_eq!(last.reasons, [0; REASONS.len()]);
    }
}
