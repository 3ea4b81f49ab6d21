//! Chains and rings that break the rules (VirtIO 1.3, 2.7).

use super::{SCRATCH, busy_queue, is_wanted, neighbours, verdict};
use crate::device::Device;
use crate::dma::Pages;
use crate::experiments::{Failure, Outcome};
use crate::machine::Machine;
use crate::registers::Registers;
use crate::ring::{Descriptor, F_INDIRECT_DESC, F_VERSION_1, INDIRECT, NEXT, Ring, WRITE, write_descriptor};

/// At most, if the device has it.
const RING: u16 = 16;
/// Above any RAM that a test has, below what overflows.
const NOWHERE: u64 = 0x00ff_ffff_0000_0000;
const LOCAL_APIC: u64 = 0xfee0_0000;
const ECAM: u64 = 0xe000_0000;

/// What an attack works with.
struct Field<'a> {
    ring: &'a mut Ring,
    scratch: &'a Pages,
}

impl Field<'_> {
    fn address(&self) -> u64 {
        self.scratch.address()
    }

    fn write(&self, index: u16, address: u64, length: u32, flags: u16, next: u16) {
        self.ring.write_descriptor(index, Descriptor { address, length, flags, next });
    }

    /// One descriptor, offered.
    fn one(&mut self, address: u64, length: u32, flags: u16) {
        self.write(0, address, length, flags, 0);
        self.ring.publish(0, 1);
    }

    /// A readable descriptor as every device wants it first, then one that it writes to, offered.
    fn two(&mut self, address: u64, length: u32) {
        self.write(0, self.address(), 16, NEXT, 1);
        self.write(1, address, length, WRITE, 0);
        self.ring.publish(0, 1);
    }

    /// An indirect table of `entries` in scratch memory, offered with `length` bytes.
    fn indirect(&mut self, entries: &[Descriptor], length: u32, flags: u16) {
        for (index, entry) in entries.iter().enumerate() {
            write_descriptor(self.scratch.region(), index as u16, *entry);
        }
        self.one(self.address(), length, flags);
    }
}

/// A name and what it does.
type Attack = (&'static str, fn(&mut Field<'_>));

const ATTACKS: &[Attack] = &[
    ("head-out-of-range", |field| field.ring.publish(field.ring.size(), 1)),
    ("head-maximum", |field| field.ring.publish(u16::MAX, 1)),
    ("index-jumps", |field| field.ring.publish(0, field.ring.size() + 1)),
    ("index-jumps-far", |field| field.ring.publish(0, 0x8000)),
    ("same-head-twice", |field| {
        field.write(0, field.address(), 64, WRITE, 0);
        field.ring.publish(0, 1);
        field.ring.publish(0, 1);
    }),
    ("loop-of-one", |field| {
        field.write(0, field.address(), 16, NEXT, 0);
        field.ring.publish(0, 1);
    }),
    ("loop-of-all", |field| {
        let size = field.ring.size();
        for index in 0..size {
            field.write(index, field.address(), 16, NEXT, (index + 1) % size);
        }
        field.ring.publish(0, 1);
    }),
    ("next-out-of-range", |field| {
        field.write(0, field.address(), 16, NEXT, u16::MAX);
        field.ring.publish(0, 1);
    }),
    ("read-after-write", |field| {
        field.write(0, field.address(), 64, WRITE | NEXT, 1);
        field.write(1, field.address(), 16, 0, 0);
        field.ring.publish(0, 1);
    }),
    ("only-readable", |field| field.one(field.address(), 16, 0)),
    ("only-writable", |field| field.one(field.address(), 513, WRITE)),
    ("length-zero", |field| field.one(field.address(), 0, WRITE)),
    ("readable-length-zero", |field| field.two(field.address() + 4096, 0)),
    ("header-short", |field| field.one(field.address(), 1, 0)),
    ("unknown-flags", |field| field.one(field.address(), 64, 0xfff8 | WRITE)),
    ("outside-ram", |field| field.two(NOWHERE, 4096)),
    ("readable-outside-ram", |field| field.one(NOWHERE, 16, 0)),
    ("address-wraps", |field| field.two(u64::MAX - 15, 4096)),
    ("address-zero", |field| field.two(0, 0)),
    ("length-maximum", |field| field.two(field.address(), u32::MAX)),
    ("total-overflows", |field| {
        let size = field.ring.size();
        for index in 0..size {
            let more = if index + 1 < size { NEXT } else { 0 };
            field.write(index, field.address(), u32::MAX, WRITE | more, index + 1);
        }
        field.ring.publish(0, 1);
    }),
    ("onto-local-apic", |field| field.two(LOCAL_APIC, 4096)),
    ("onto-ecam", |field| field.two(ECAM, 4096)),
    ("onto-own-ring", |field| {
        let addresses = field.ring.addresses();
        field.two(addresses.descriptors, 4096);
    }),
    ("indirect-length-zero", |field| field.one(field.address(), 0, INDIRECT)),
    ("indirect-length-odd", |field| field.one(field.address(), 17, INDIRECT)),
    ("indirect-length-maximum", |field| field.one(field.address(), 0xffff_fff0, INDIRECT)),
    ("indirect-outside-ram", |field| field.one(NOWHERE, 32, INDIRECT)),
    ("indirect-with-next", |field| {
        field.write(0, field.address(), 32, INDIRECT | NEXT, 1);
        field.write(1, field.address(), 16, 0, 0);
        field.ring.publish(0, 1);
    }),
    ("indirect-in-indirect", |field| {
        let inner = Descriptor { address: field.address(), length: 16, flags: INDIRECT, next: 0 };
        field.indirect(&[inner], 16, INDIRECT);
    }),
    ("indirect-loop", |field| {
        let inner = Descriptor { address: field.address() + 4096, length: 16, flags: NEXT, next: 0 };
        field.indirect(&[inner], 16, INDIRECT);
    }),
    ("indirect-next-out-of-range", |field| {
        let inner = Descriptor { address: field.address() + 4096, length: 16, flags: NEXT, next: 9 };
        field.indirect(&[inner, inner], 32, INDIRECT);
    }),
    ("indirect-longer-than-queue", |field| {
        for index in 0..1024 {
            let last = index == 1023;
            let address = field.address() + (SCRATCH as u64 / 2);
            let flags = if last { WRITE } else { WRITE | NEXT };
            let entry = Descriptor { address, length: 1, flags, next: index + 1 };
            write_descriptor(field.scratch.region(), index, entry);
        }
        field.one(field.address(), 16 * 1024, INDIRECT);
    }),
];

pub(super) fn run(machine: &Machine, device: &Device, registers: &Registers) -> Outcome {
    for (name, attack) in ATTACKS.iter().filter(|(name, _)| is_wanted(machine, name)) {
        let features = registers.begin(F_VERSION_1 | F_INDIRECT_DESC).ok_or(Failure("features-refused"))?;
        let _neighbours = neighbours(device, registers);
        let mut ring = Ring::set_up(registers, busy_queue(device.kind), RING, features).ok_or(Failure("no-queue"))?;
        let scratch = Pages::new(SCRATCH).ok_or(Failure("no-memory"))?;
        registers.go();
        attack(&mut Field { ring: &mut ring, scratch: &scratch });
        ring.kick();
        verdict(device, registers, name, Some(&ring));
    }
    Ok(())
}
