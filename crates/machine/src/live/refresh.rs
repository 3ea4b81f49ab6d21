//! What the monitor does not count itself, copied into the page when a reader asks: KVM's totals, kicks (the
//! values of their eventfds), polling.
//!
//! Neither copy disturbs the guest: statistics files are read without the vCPU, and the value of an eventfd is in its
//! `fdinfo` (Linux Documentation/filesystems/proc.rst), where looking does not reset it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use illico_virtio::block::PollCounters;
use vmm_sys_util::eventfd::EventFd;

use super::Page;
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
    /// Keeps the number of the descriptor what it is.
    _kick: Arc<EventFd>,
    info: File,
    polls: Option<Arc<PollCounters>>,
}

impl Refresher {
    /// With the statistics of all vCPUs, and kicks and polling of all queues, in the order of the page.
    pub(crate) fn new(
        page: Page,
        vcpus: Vec<Option<StatsReader>>,
        queues: impl Iterator<Item = (Arc<EventFd>, Option<Arc<PollCounters>>)>,
    ) -> io::Result<Self> {
        let queue = |(kick, polls): (Arc<EventFd>, _)| {
            let info = File::open(format!("/proc/self/fdinfo/{}", kick.as_raw_fd()))?;
            Ok(Queue { _kick: kick, info, polls })
        };
        Ok(Self { page, vcpus, queues: queues.map(queue).collect::<io::Result<_>>()? })
    }

    /// Copies everything. What cannot be read stays as it was.
    pub fn refresh(&self) {
        let totals: Vec<_> = self.vcpus.iter().map(|stats| stats.as_ref().and_then(totals)).enumerate().collect();
        let kicks: Vec<_> = self.queues.iter().map(|queue| count_in(&queue.info)).collect();
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

/// The value of an eventfd by its `fdinfo`.
fn count_in(info: &File) -> Option<u64> {
    let mut bytes = [0; 512];
    let len = info.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("eventfd-count:"))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kicks_are_looked_at_and_stay_where_they_are() {
        let kick = Arc::new(EventFd::new(0).unwrap());
        let info = File::open(format!("/proc/self/fdinfo/{}", kick.as_raw_fd())).unwrap();
        assert_eq!(count_in(&info), Some(0));
        for _ in 0..300 {
            kick.write(1).unwrap();
        }
        assert_eq!((count_in(&info), count_in(&info)), (Some(300), Some(300)));
        assert_eq!(kick.read().unwrap(), 300);
    }
}
