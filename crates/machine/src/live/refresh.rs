//! What the monitor does not count itself, copied into the page when a reader asks: KVM's totals, kicks (the
//! values of their eventfds), polling.
//!
//! No copy disturbs the guest: statistics files are read without the vCPU, and eventfds keep their values.

use std::io;
use std::sync::Arc;

use illico_virtio::counters::PollCounters;
use vmm_sys_util::eventfd::EventFd;

use super::Page;
use crate::kicks::KickCount;
use crate::kvm::StatsReader;

/// Copies when it is asked to.
#[derive(Debug)]
pub struct Refresher {
    page: Page,
    vcpus: Vec<Option<StatsReader>>,
    queues: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    kicks: KickCount,
    polls: Option<Arc<PollCounters>>,
}

impl Refresher {
    /// With the statistics of all vCPUs, and kicks and polling of all queues, in the order of the page.
    pub(crate) fn new(
        page: Page,
        vcpus: Vec<Option<StatsReader>>,
        queues: impl Iterator<Item = (Arc<EventFd>, Option<Arc<PollCounters>>)>,
    ) -> io::Result<Self> {
        let queue = |(kick, polls)| Ok(Queue { kicks: KickCount::of(kick)?, polls });
        Ok(Self { page, vcpus, queues: queues.map(queue).collect::<io::Result<_>>()? })
    }

    /// Copies everything. What cannot be read stays as it was.
    pub fn refresh(&self) {
        let totals: Vec<_> = self.vcpus.iter().map(|stats| stats.as_ref().and_then(totals)).enumerate().collect();
        let kicks: Vec<_> = self.queues.iter().map(|queue| queue.kicks.now()).collect();
        self.page.refresh(|| {
            for (vcpu, totals) in &totals {
                if let Some(totals) = totals {
                    self.page.set_kernel(*vcpu, totals);
                }
            }
            for (index, (queue, kicks)) in self.queues.iter().zip(&kicks).enumerate() {
                let polls = queue.polls.as_ref();
                let polls = polls.map(|polls| [polls.found.get(), polls.empty.get(), polls.nanoseconds.get()]);
                self.page.set_queue(index, *kicks, polls);
            }
        });
    }
}

/// The totals of KVM that it knows, in the order of the page.
fn totals(stats: &StatsReader) -> Option<Vec<Option<u64>>> {
    let values = stats.read()?;
    Some(stats.known().zip(values).map(|(known, value)| known.then_some(value)).collect())
}
