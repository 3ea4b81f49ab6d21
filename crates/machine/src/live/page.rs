//! The page of counters as the monitor writes it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{Ordering, fence};
use std::time::{SystemTime, UNIX_EPOCH};

use illico_memory::{Access, Counter, Counters, Mapping, Pages, Window};
use illico_virtio::counters::QueueCounters;

use super::layout::{self as at, Places, Shape};
use crate::exits::{Access as How, Party, VcpuExits};
use crate::report::KERNEL;

/// The page. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Page {
    window: Window,
    places: Places,
    parties: usize,
}

impl Page {
    /// A page of zeroes and names for such a machine: in `file`, which is empty, or in private memory.
    pub fn new(shape: &Shape, file: Option<&File>) -> io::Result<Self> {
        let parties = Party::FIXED.len() + shape.devices.len();
        let places = Places::of(shape.vcpus, parties, shape.queues(), KERNEL.len());
        let window = match file {
            Some(file) => {
                file.set_len(places.length as u64)?;
                Mapping::file(file.as_fd(), places.length, Access::ReadWrite)
            }
            None => Mapping::anonymous(places.length, Pages::Small),
        };
        let page = Self { window: window.map_err(io::Error::other)?, places, parties };
        page.describe(shape);
        Ok(page)
    }

    /// Writes all that stays as it is.
    fn describe(&self, shape: &Shape) {
        let Places { first_vcpu, vcpu_size, kernel, first_queue, length } = self.places;
        for (offset, value) in [
            (at::AT_VERSION, at::VERSION as usize),
            (at::AT_LENGTH, length),
            (at::AT_VCPUS, shape.vcpus),
            (at::AT_PARTIES, self.parties),
            (at::AT_QUEUES, shape.queues()),
            (at::AT_VCPU_SIZE, vcpu_size),
            (at::AT_QUEUE_SIZE, at::QUEUE),
            (at::AT_FIRST_PARTY, at::HEADER),
            (at::AT_FIRST_VCPU, first_vcpu),
            (at::AT_FIRST_QUEUE, first_queue),
            (at::AT_KERNEL, kernel),
            (at::AT_PID, std::process::id() as usize),
        ] {
            self.window.store_u32(offset, value as u32, Ordering::Relaxed);
        }
        let fixed = Party::FIXED.into_iter().map(|party| (party.name(), ""));
        let devices = shape.devices.iter().map(|(name, kind, _)| (name.as_str(), *kind));
        for (party, (name, kind)) in fixed.chain(devices).enumerate() {
            let at = at::HEADER + party * at::PARTY;
            self.text(at, at::PARTY_KIND, name);
            self.text(at + at::PARTY_KIND, at::PARTY - at::PARTY_KIND, kind);
        }
        for vcpu in 0..shape.vcpus {
            self.window.store_u32(first_vcpu + vcpu * vcpu_size, vcpu as u32, Ordering::Relaxed);
        }
        let devices = shape.devices.iter().enumerate();
        let queues = devices.flat_map(|(device, (_, _, queues))| (0..*queues).map(move |queue| (device, queue)));
        for (index, (device, queue)) in queues.enumerate() {
            let at = first_queue + index * at::QUEUE;
            self.window.store_u32(at, (Party::FIXED.len() + device) as u32, Ordering::Relaxed);
            self.window.store_u32(at + at::QUEUE_NUMBER, queue as u32, Ordering::Relaxed);
        }
        // Last: a reader that finds the magic finds all of the rest.
        fence(Ordering::Release);
        self.window.copy_from(0, &at::MAGIC);
    }

    /// As much of a name as there is room for.
    fn text(&self, at: usize, room: usize, text: &str) {
        let bytes = text.as_bytes();
        self.window.copy_from(at, &bytes[..bytes.len().min(room)]);
    }

    /// Where a vCPU counts; `None` if there is none of that number.
    pub fn vcpu(&self, vcpu: usize) -> Option<VcpuExits> {
        let at = self.vcpu_at(vcpu)?;
        Some(VcpuExits {
            table: Counters::at(&self.window, at + at::VCPU_TABLE, self.parties * How::ALL.len())?,
            eoi: Counter::at(&self.window, at + at::VCPU_EOI)?,
            interrupted: Counter::at(&self.window, at + at::VCPU_SIGNAL)?,
        })
    }

    fn vcpu_at(&self, vcpu: usize) -> Option<usize> {
        let at = self.places.first_vcpu + vcpu * self.places.vcpu_size;
        (at < self.places.first_queue).then_some(at)
    }

    /// Where a queue counts, of all queues of all devices in order.
    pub fn queue(&self, queue: usize) -> Option<QueueCounters> {
        QueueCounters::at(&self.window, self.queue_at(queue)? + at::QUEUE_COUNTERS)
    }

    fn queue_at(&self, queue: usize) -> Option<usize> {
        let at = self.places.first_queue + queue * at::QUEUE;
        (at < self.places.length).then_some(at)
    }

    /// Lets a refresh write, so that readers see all of it or nothing.
    pub(super) fn refresh(&self, write: impl FnOnce()) {
        let sequence = self.window.load_u64(at::AT_SEQUENCE, Ordering::Relaxed);
        self.window.store_u64(at::AT_SEQUENCE, sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        write();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        self.window.store_u64(at::AT_REFRESHED, now, Ordering::Relaxed);
        self.window.store_u64(at::AT_SEQUENCE, sequence.wrapping_add(2), Ordering::Release);
    }

    /// The totals of KVM for a vCPU, those that are known.
    pub(super) fn set_kernel(&self, vcpu: usize, totals: &[Option<u64>]) {
        let Some(at) = self.vcpu_at(vcpu) else { return };
        let Some(all) = Counters::at(&self.window, at + self.places.kernel, 1 + KERNEL.len()) else { return };
        let mut known = 0;
        for (index, total) in totals.iter().take(KERNEL.len()).enumerate() {
            if let Some(total) = total {
                known |= 1 << index;
                all.set(1 + index, *total);
            }
        }
        all.set(0, known);
    }

    /// What a queue does not count itself: kicks, and what polling cost if it polls.
    pub(super) fn set_queue(&self, queue: usize, kicks: Option<u64>, polling: Option<[u64; 3]>) {
        let Some(at) = self.queue_at(queue) else { return };
        let Some(all) = Counters::at(&self.window, at + at::QUEUE_REFRESHED, 4) else { return };
        if let Some(kicks) = kicks {
            all.set(0, kicks);
        }
        if let Some(polling) = polling {
            self.window.store_u64(at + at::QUEUE_POLLED, 1, Ordering::Relaxed);
            (1..).zip(polling).for_each(|(index, value)| all.set(index, value));
        }
    }
}
