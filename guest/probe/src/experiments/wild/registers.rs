//! Registers of a device with values that no driver writes, in orders that no driver has (VirtIO 1.3, 3.1 and 4).

use super::{busy_queue, neighbours, verdict};
use crate::device::Device;
use crate::dma::Pages;
use crate::experiments::{Failure, Outcome};
use crate::memory::PAGE;
use crate::region::Region;
use crate::registers::{ACKNOWLEDGE, Addresses, Bus, DRIVER, FEATURES_OK, Registers};
use crate::ring::{F_VERSION_1, Ring};
use crate::say;

/// Three addresses each, and a size.
type Layout = (&'static str, u16, fn(u64) -> Addresses);

const fn all(address: u64) -> Addresses {
    Addresses { descriptors: address, driver: address, device: address }
}

/// Rings where none can be.
const LAYOUTS: &[Layout] = &[
    ("ring-unaligned", 8, |page| Addresses { descriptors: page + 1, driver: page + 1025, device: page + 2049 }),
    ("ring-at-zero", 8, |_| all(0)),
    ("ring-on-local-apic", 8, |_| all(0xfee0_0000)),
    ("ring-on-ecam", 8, |_| all(0xe000_0000)),
    ("ring-outside-ram", 8, |_| all(0x00ff_ffff_ffff_0000)),
    ("ring-wraps", 8, |_| all(u64::MAX - 15)),
    ("ring-overlaps-itself", 8, all),
    ("size-zero", 0, all),
    ("size-three", 3, all),
    ("size-maximum", u16::MAX, all),
    ("size-above-maximum", 0x8000, all),
];

pub(super) fn run(device: &Device, registers: &Registers) -> Outcome {
    let page = Pages::new(PAGE).ok_or(Failure("no-memory"))?;
    let queue = busy_queue(device.kind);
    for (name, size, layout) in LAYOUTS {
        registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
        let _neighbours = neighbours(device, registers);
        registers.set_queue(queue, *size, layout(page.address()));
        registers.go();
        registers.doorbell(queue).kick();
        verdict(device, registers, name, None);
    }
    orders(device, registers, &page)?;
    refusals(device, registers);
    widths(device, registers);
    if let Bus::Pci(pci) = registers.bus {
        vectors(device, registers, pci.msix.map(|msix| (msix.table(), msix.entries())))?;
    }
    Ok(())
}

/// Steps of the initialisation at the wrong time.
fn orders(device: &Device, registers: &Registers, page: &Pages) -> Outcome {
    let queue = busy_queue(device.kind);
    registers.reset();
    registers.doorbell(queue).kick();
    verdict(device, registers, "kick-after-reset", None);

    registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    registers.go();
    registers.doorbell(queue).kick();
    verdict(device, registers, "kick-without-queue", None);

    registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    for queue in [7, 63, 1023, u16::MAX] {
        registers.queue_max(queue);
        registers.set_queue(queue, 8, all(page.address()));
        registers.set_raw_vector(queue, 0);
    }
    registers.go();
    verdict(device, registers, "unknown-queues", None);

    let features = registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    let _neighbours = neighbours(device, registers);
    let ring = Ring::set_up(registers, queue, 8, features).ok_or(Failure("no-queue"))?;
    registers.go();
    registers.set_queue(queue, 4, all(page.address()));
    registers.accept(u64::MAX);
    registers.doorbell(queue).kick();
    verdict(device, registers, "set-up-while-running", Some(&ring));

    registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    registers.go();
    for _ in 0..3 {
        registers.set_status(0xff);
        registers.set_status(ACKNOWLEDGE);
        registers.go();
    }
    verdict(device, registers, "status-to-and-fro", None);
    Ok(())
}

/// What the device must refuse by not showing it: 1 if it did.
fn refusals(device: &Device, registers: &Registers) {
    registers.reset();
    registers.set_status(ACKNOWLEDGE | DRIVER);
    registers.accept(u64::MAX);
    registers.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    let all_features = registers.status() & FEATURES_OK == 0;
    registers.reset();
    registers.set_status(ACKNOWLEDGE | DRIVER);
    registers.accept(0);
    registers.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    let no_version_1 = registers.status() & FEATURES_OK == 0;
    registers.reset();
    let queue = registers.queue_max(u16::MAX) == 0;
    say!(
        "wild device={} refused_all_features={} refused_without_version_1={} no_queue_65535={}",
        device.kind.name(),
        u8::from(all_features),
        u8::from(no_version_1),
        u8::from(queue)
    );
}

/// Every width at every offset, and writes to what is read-only.
fn widths(device: &Device, registers: &Registers) {
    let bases = match registers.bus {
        Bus::Pci(pci) => [Some(pci.common), Some(pci.notify), Some(registers.configuration())],
        Bus::Mmio(base) => [Some(base), Some(registers.configuration()), None],
    };
    for base in bases.into_iter().flatten() {
        for offset in 0..0x48 {
            base.read::<u8>(offset);
            read_unaligned(base, offset);
        }
        // Across the end of the page, and the page's last bytes.
        read_unaligned(base, PAGE - 3);
        base.write(PAGE - 4, u32::MAX);
    }
    for offset in (0..64).step_by(4) {
        registers.configuration().write(offset, u32::MAX);
    }
    if let Bus::Pci(pci) = registers.bus {
        for offset in [0x04, 0x12, 0x15, 0x1e, 0x3a, 0x3c] {
            pci.common.write(offset, u8::MAX);
        }
        pci.notify.write(PAGE - 2, u16::MAX);
        pci.notify.write(2, u16::MAX);
        pci.notify.write(0, u64::MAX);
    }
    verdict(device, registers, "every-width", None);
}

fn read_unaligned(base: Region, offset: usize) {
    let (short, word, long): (u16, u32, u64);
    // SAFETY: loads from device registers, of which nothing is kept; assembled, because a misaligned volatile read is
    // not defined in Rust.
    unsafe {
        core::arch::asm!(
            "mov {short:x}, word ptr [{at}]",
            "mov {word:e}, dword ptr [{at}]",
            "mov {long}, qword ptr [{at}]",
            at = in(reg) base.0 + offset,
            short = out(reg) short,
            word = out(reg) word,
            long = out(reg) long,
            options(nostack, readonly, preserves_flags)
        );
    }
    let _ = (short, word, long);
}

/// MSI-X entries that lead nowhere, and queues that use them.
fn vectors(device: &Device, registers: &Registers, table: Option<(Region, u16)>) -> Outcome {
    let queue = busy_queue(device.kind);
    registers.begin(F_VERSION_1).ok_or(Failure("features-refused"))?;
    let refused = registers.set_raw_vector(queue, 0x7ff) == crate::registers::NO_VECTOR;
    say!("wild device={} refused_vector_2047={}", device.kind.name(), u8::from(refused));
    let Some((table, entries)) = table else { return Ok(()) };
    for (address, data, control) in [
        (0_u64, 0_u32, 0_u32),
        (u64::MAX, u32::MAX, 0),
        (0x1000, 0x21, 0),
        (0xfeef_f000, 0x21, 0),
        (0xfee0_0000, 0x0000_0500, u32::MAX),
    ] {
        for entry in 0..usize::from(entries) {
            let entry = table.at(entry * 16);
            entry.write(0, address as u32);
            entry.write(4, (address >> 32) as u32);
            entry.write(8, data);
            entry.write(12, control);
        }
    }
    // Beyond the table, and the pending bits, which are read-only.
    table.write(usize::from(entries) * 16, u64::MAX);
    table.write(0x800, u64::MAX);
    verdict(device, registers, "vectors-to-nowhere", None);
    Ok(())
}
