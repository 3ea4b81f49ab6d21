//! Where everything is in the page. All numbers are little-endian, all blocks begin at multiples of 64.
//!
//! ```text
//! header    128 bytes, fields below
//! parties   48 bytes each: name 32, kind 16 (both with zeroes behind); parts that answer exits, then the devices
//! vCPUs     each: number u32, eoi u64 at 8, signal u64 at 16; at 64 a table of 4 u64 a party (port-read,
//!           port-write, mmio-read, mmio-write); behind it, at a multiple of 64, a u64 with a bit for each total of
//!           KVM that is known, and the totals in the order of `KERNEL`
//! queues    128 bytes each: party u32, number u32, polled u64 (0 or 1), at 16 five u64 (interrupts, suppressed,
//!           requests, bytes from the guest, bytes to the guest), at 64 four u64 (kicks, looks that found something,
//!           looks that found nothing, nanoseconds of looking)
//! ```
//!
//! Written at any moment: eoi, signal, the tables, and the five of a queue. Written by a refresh: the totals of KVM, the
//! four of a queue, and the time of it in the header.

use crate::exits::Access;

/// What the file begins with.
pub(super) const MAGIC: [u8; 8] = *b"illicoEX";
/// Changed whenever something moves or changes its meaning; what is added goes behind.
pub const VERSION: u32 = 1;

// The header.
pub(super) const AT_VERSION: usize = 8;
pub(super) const AT_LENGTH: usize = 12;
pub(super) const AT_VCPUS: usize = 16;
pub(super) const AT_PARTIES: usize = 20;
pub(super) const AT_QUEUES: usize = 24;
pub(super) const AT_VCPU_SIZE: usize = 28;
pub(super) const AT_QUEUE_SIZE: usize = 32;
pub(super) const AT_FIRST_PARTY: usize = 36;
pub(super) const AT_FIRST_VCPU: usize = 40;
pub(super) const AT_FIRST_QUEUE: usize = 44;
pub(super) const AT_KERNEL: usize = 48;
pub(super) const AT_PID: usize = 52;
/// Milliseconds since 1970; 0 before the first refresh.
pub(super) const AT_REFRESHED: usize = 56;
/// Odd while a refresh writes.
pub(super) const AT_SEQUENCE: usize = 64;
pub(super) const HEADER: usize = 128;

pub(super) const PARTY: usize = 48;
pub(super) const PARTY_KIND: usize = 32;

pub(super) const VCPU_EOI: usize = 8;
pub(super) const VCPU_SIGNAL: usize = 16;
pub(super) const VCPU_TABLE: usize = 64;
/// Bytes of a party's row in the table of a vCPU.
pub(super) const ROW: usize = Access::ALL.len() * 8;

pub(super) const QUEUE: usize = 128;
pub(super) const QUEUE_NUMBER: usize = 4;
pub(super) const QUEUE_POLLED: usize = 8;
pub(super) const QUEUE_COUNTERS: usize = 16;
pub(super) const QUEUE_REFRESHED: usize = 64;

/// What there is to count in a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// How many vCPUs.
    pub vcpus: usize,
    /// Its devices in order: name, kind, queues.
    pub devices: Vec<(String, &'static str, usize)>,
}

impl Shape {
    pub(super) fn queues(&self) -> usize {
        self.devices.iter().map(|(_, _, queues)| queues).sum()
    }
}

/// Places in the page of a machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) first_vcpu: usize,
    pub(super) vcpu_size: usize,
    /// Of a vCPU.
    pub(super) kernel: usize,
    pub(super) first_queue: usize,
    pub(super) length: usize,
}

impl Places {
    pub(super) fn of(vcpus: usize, parties: usize, queues: usize, totals: usize) -> Self {
        let first_vcpu = (HEADER + parties * PARTY).next_multiple_of(64);
        let kernel = (VCPU_TABLE + parties * ROW).next_multiple_of(64);
        let vcpu_size = (kernel + 8 + 8 * totals).next_multiple_of(64);
        let first_queue = first_vcpu + vcpus * vcpu_size;
        Self { first_vcpu, vcpu_size, kernel, first_queue, length: first_queue + queues * QUEUE }
    }
}
