//! What is no device: holes in the address space, ports that nobody answers, PCI configuration space, the I/O APIC. Each
//! line `wild platform=<name> done=1` says that the machine is still there.

use core::arch::asm;

use super::is_wanted;
use crate::device::Place;
use crate::dma::Pages;
use crate::gate::{in8, out8};
use crate::machine::Machine;
use crate::memory::PAGE;
use crate::pci::{Function, SLOTS};
use crate::region::Region;
use crate::{ioapic, say};

/// Addresses below 4 GiB behind which the house has nothing.
const HOLES: [usize; 7] = [0xcfff_f000, 0xd00f_f000, 0xe010_0000, 0xefff_f000, 0xfec0_1000, 0xfed0_0000, 0xffff_f000];

/// Legacy devices that are not there, both ends, and the neighbours of the ports that end the machine.
const PORTS: [u16; 19] = [
    0x00, 0x20, 0x21, 0x40, 0x43, 0x60, 0x64, 0x70, 0x71, 0x80, 0x92, 0xa0, 0xcf8, 0xcfc, 0x504, 0x5fe, 0x601, 0x604,
    0xfffc,
];

/// Where a BAR has no business: on another function's, on the window's last page, beyond it, on the ECAM, on the local
/// APIC. (Not on RAM: the kicks would go there.)
const PLACES: [u32; 6] = [0xc000_0000, 0xc000_4000, 0xcfff_f000, 0xd000_0000, 0xe000_0000, 0xfee0_0000];
const COMMAND: usize = 0x04;
const COMMAND_MEMORY: u16 = 1 << 1;
const BAR_0: usize = 0x10;

const SLEEP_CONTROL: u16 = 0x600;
const RESET: u16 = 0x602;
const PVPANIC: u16 = 0x505;

pub(super) fn run(machine: &Machine) {
    for (name, attack) in [
        ("holes", holes as fn(&Machine)),
        ("ports", ports),
        ("strings", strings),
        ("almost-off", almost_off),
        ("ioapic", io_apic),
        ("configuration", configuration),
    ] {
        if is_wanted(machine, name) {
            attack(machine);
            say!("wild platform={name} done=1");
        }
    }
}

fn holes(_: &Machine) {
    for hole in HOLES.map(Region) {
        hole.read::<u8>(1);
        hole.read::<u16>(2);
        hole.read::<u32>(4);
        hole.read::<u64>(8);
        hole.write(1, u8::MAX);
        hole.write(2, u16::MAX);
        hole.write(4, u32::MAX);
        hole.write(8, u64::MAX);
        // SAFETY: sixteen bytes in one instruction from where nothing is, and an atomic access there; no memory of ours.
        unsafe {
            asm!("movups {wide}, xmmword ptr [{at}]", "lock inc dword ptr [{at}]", at = in(reg) hole.0 + 16,
                 wide = out(xmm_reg) _, options(nostack));
        }
    }
}

fn in16(port: u16) {
    // SAFETY: a port read changes no memory.
    unsafe { asm!("in ax, dx", in("dx") port, out("ax") _, options(nostack, preserves_flags)) };
}

fn in32(port: u16) {
    // SAFETY: a port read changes no memory.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") _, options(nostack, preserves_flags)) };
}

fn out16(port: u16, value: u16) {
    // SAFETY: a port write changes no memory of ours.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nostack, preserves_flags)) };
}

fn out32(port: u16, value: u32) {
    // SAFETY: a port write changes no memory of ours.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack, preserves_flags)) };
}

fn ports(_: &Machine) {
    for port in PORTS {
        in8(port);
        in16(port);
        in32(port);
        out8(port, 0);
        if port != 0x504 && port != 0x5fe && port != 0x601 {
            out16(port, u16::MAX);
            out32(port, u32::MAX);
        }
    }
}

/// A page in and out by one instruction each: as many exits, or fewer with KVM's batches.
fn strings(_: &Machine) {
    let Some(page) = Pages::new(PAGE) else { return };
    let address = page.address();
    // SAFETY: the page is ours and as long as the count.
    unsafe {
        asm!("rep outsb", inout("rsi") address => _, inout("rcx") PAGE => _, in("dx") 0x80_u16, options(nostack));
    };
    // SAFETY: the same.
    unsafe {
        asm!("rep insb", inout("rdi") address => _, inout("rcx") PAGE => _, in("dx") 0x80_u16, options(nostack));
    };
}

/// Writes to the ports that end the machine that must not end it.
fn almost_off(_: &Machine) {
    in8(SLEEP_CONTROL);
    in32(SLEEP_CONTROL);
    // Another sleep type, and S5 without SLP_EN.
    out8(SLEEP_CONTROL, 1 << 2 | 1 << 5);
    out8(SLEEP_CONTROL, 5 << 2);
    out8(RESET, 0);
    in8(PVPANIC);
    out8(PVPANIC, 0);
}

fn io_apic(_: &Machine) {
    for index in [0, 1, 2, 0x0f, 0x10, 0x3f, 0xff, u32::MAX] {
        ioapic::write(index, u32::MAX);
        ioapic::write(index, 0x0001_0000);
    }
    let registers = Region(0xfec0_0000);
    for offset in [1, 2, 0x11, 0x14, 0x40, 0x800] {
        registers.read::<u8>(offset);
        registers.write(offset, u8::MAX);
    }
    registers.write(0x40, u32::MAX);
    registers.read::<u64>(0x10);
}

/// Every word of every function, with its BAR moved about, then as it was.
fn configuration(machine: &Machine) {
    for slot in 0..SLOTS {
        let function = Function::at(machine.ecam(), slot);
        let space = function.configuration;
        let kept: [u32; 64] = core::array::from_fn(|word| space.read(word * 4));
        for value in [u32::MAX, 0, 0xe000_0000, 0x0020_0000] {
            for word in 0..64 {
                space.write(word * 4, value);
            }
        }
        for address in PLACES {
            space.write(BAR_0 + 4, 0_u32);
            space.write(BAR_0, address);
            space.write(COMMAND, COMMAND_MEMORY);
            // If it is there now, the kicks of the first queues are, too.
            (0..4).for_each(|queue| Region(address as usize & !0xf).write(0x2000 + 4 * queue, queue as u16));
        }
        space.write(0x11, u8::MAX);
        space.write(0x12, u16::MAX);
        space.write(0x10, u64::MAX);
        space.write(0xffc, u32::MAX);
        for (word, value) in kept.iter().enumerate() {
            space.write(word * 4, *value);
        }
    }
    for device in &machine.devices {
        if let Place::Pci(function) = device.place {
            function.enable();
        }
    }
}
