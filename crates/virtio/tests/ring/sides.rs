//! The device's side of the ring twice: ours, and the `virtio-queue` crate's, behind the same few verbs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use illico_memory::Ram;
use illico_virtio::chain::Chain;
use illico_virtio::interrupt::Interrupt;
use illico_virtio::queue::{Queue, QueueSetup, Wiring};
use illico_virtio::spec::feature::{EVENT_IDX, INDIRECT_DESC};
use virtio_queue::{DescriptorChain, QueueT};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, GuestRegionMmap};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::driver::{RAM_SIZE, Range, Request};

/// What a device does with a queue.
pub(crate) trait Side {
    /// Takes a chain and gives its head; it stays in hand until it is completed.
    fn pop(&mut self) -> Option<u16>;
    /// Puts back the chain that was taken last.
    fn undo_pop(&mut self);
    /// Compares a chain in hand with what the driver built.
    fn check(&self, head: u16, request: &Request);
    /// Writes an answer and hands the chain back.
    fn complete(&mut self, head: u16, answer: &[u8]);
    /// Whether an interrupt was raised for all that was completed since.
    fn signal(&mut self) -> bool;
    fn disable_kicks(&mut self);
    fn enable_kicks(&mut self) -> bool;
}

pub(crate) struct Ours {
    queue: Queue,
    hand: Vec<Chain>,
    interrupts: Arc<AtomicU64>,
}

impl Ours {
    pub(crate) fn new(setup: &QueueSetup, ram: &Ram, event_idx: bool) -> Self {
        let interrupts = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&interrupts);
        let wiring = Wiring {
            interrupt: Interrupt::from_fn(move || {
                count.fetch_add(1, Ordering::SeqCst);
            }),
            kick: Arc::new(EventFd::new(EFD_NONBLOCK).unwrap()),
            counters: Arc::default(),
        };
        let features = INDIRECT_DESC | if event_idx { EVENT_IDX } else { 0 };
        Self { queue: setup.build(ram, features, wiring).unwrap(), hand: Vec::new(), interrupts }
    }
}

impl Side for Ours {
    fn pop(&mut self) -> Option<u16> {
        let chain = self.queue.pop().unwrap()?;
        let head = chain.head();
        self.hand.push(chain);
        Some(head)
    }

    fn undo_pop(&mut self) {
        let chain = self.hand.pop().unwrap();
        self.queue.undo_pop(chain);
    }

    fn check(&self, head: u16, request: &Request) {
        let chain = self.hand.iter().find(|chain| chain.head() == head).unwrap();
        let mut question = vec![0; chain.readable.len()];
        chain.readable.copy_to(0, &mut question).unwrap();
        assert_eq!(question, request.question());
        assert_eq!(chain.writable.len(), request.len_of(true));
    }

    fn complete(&mut self, head: u16, answer: &[u8]) {
        let at = self.hand.iter().position(|chain| chain.head() == head).unwrap();
        let chain = self.hand.remove(at);
        chain.writable.copy_from(0, answer).unwrap();
        self.queue.complete(chain, answer.len() as u32);
    }

    fn signal(&mut self) -> bool {
        let before = self.interrupts.load(Ordering::SeqCst);
        self.queue.signal();
        let raised = self.interrupts.load(Ordering::SeqCst) - before;
        assert!(raised <= 1, "one signal raises one interrupt");
        raised == 1
    }

    fn disable_kicks(&mut self) {
        self.queue.disable_kicks();
    }

    fn enable_kicks(&mut self) -> bool {
        self.queue.enable_kicks()
    }
}

pub(crate) struct Theirs {
    queue: virtio_queue::Queue,
    memory: GuestMemoryMmap,
    hand: Vec<(u16, Vec<Range>)>,
}

impl Theirs {
    pub(crate) fn new(setup: &QueueSetup, ram: &Ram, event_idx: bool) -> Self {
        let start = ram.regions()[0].window.host_address() as *mut u8;
        let builder = MmapRegionBuilder::new(RAM_SIZE as usize).with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: the RAM is one region of this size and outlives this value: the driver that both
        // serve keeps it. The builder maps nothing and unmaps nothing of its own for such a pointer.
        let region = unsafe { builder.with_raw_mmap_pointer(start) }.build().unwrap();
        let region = GuestRegionMmap::new(region, GuestAddress(0)).unwrap();
        let memory = GuestMemoryMmap::from_regions(vec![region]).unwrap();
        let mut queue = virtio_queue::Queue::new(setup.max_size).unwrap();
        queue.set_size(setup.size);
        queue.set_desc_table_address(Some(setup.table.0 as u32), None);
        queue.set_avail_ring_address(Some(setup.available.0 as u32), None);
        queue.set_used_ring_address(Some(setup.used.0 as u32), None);
        queue.set_event_idx(event_idx);
        queue.set_ready(true);
        assert!(queue.is_valid(&memory));
        Self { queue, memory, hand: Vec::new() }
    }
}

fn ranges<M>(chain: DescriptorChain<M>) -> Vec<Range>
where
    M: std::ops::Deref,
    M::Target: GuestMemory,
{
    chain
        .map(|descriptor| Range {
            address: descriptor.addr().0,
            len: descriptor.len(),
            writable: descriptor.is_write_only(),
        })
        .collect()
}

impl Side for Theirs {
    fn pop(&mut self) -> Option<u16> {
        let chain = self.queue.pop_descriptor_chain(&self.memory)?;
        let head = chain.head_index();
        self.hand.push((head, ranges(chain)));
        Some(head)
    }

    fn undo_pop(&mut self) {
        self.hand.pop().unwrap();
        self.queue.set_next_avail(self.queue.next_avail().wrapping_sub(1));
    }

    fn check(&self, head: u16, request: &Request) {
        let (_, ranges) = self.hand.iter().find(|(taken, _)| *taken == head).unwrap();
        assert_eq!(ranges, &request.ranges);
    }

    fn complete(&mut self, head: u16, answer: &[u8]) {
        let at = self.hand.iter().position(|(taken, _)| *taken == head).unwrap();
        let (_, ranges) = self.hand.remove(at);
        let mut rest = answer;
        for range in ranges.iter().filter(|range| range.writable) {
            let (now, later) = rest.split_at(rest.len().min(range.len as usize));
            self.memory.write_slice(now, GuestAddress(range.address)).unwrap();
            rest = later;
        }
        self.queue.add_used(&self.memory, head, answer.len() as u32).unwrap();
    }

    fn signal(&mut self) -> bool {
        self.queue.needs_notification(&self.memory).unwrap()
    }

    fn disable_kicks(&mut self) {
        self.queue.disable_notification(&self.memory).unwrap();
    }

    fn enable_kicks(&mut self) -> bool {
        self.queue.enable_notification(&self.memory).unwrap()
    }
}
