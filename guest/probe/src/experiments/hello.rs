//! `hello`: says what kind of machine this is: memory, console, and each device with its place.

use super::Outcome;
use crate::device::Place;
use crate::machine::Machine;
use crate::{memory, report, say};

pub(super) fn run(machine: &Machine) -> Outcome {
    // SAFETY: the name is taken, and the reference is gone, before anything is said.
    let console = unsafe { report::console() }.name();
    say!(
        "hello free_bytes={} interrupts={} console={console} devices={}",
        memory::untouched(),
        u8::from(machine.interrupts),
        machine.devices.len()
    );
    for device in &machine.devices {
        let kind = device.kind;
        match device.place {
            Place::Pci(function) => say!("device kind={} type={} pci={}", kind.name(), kind.0, function.slot),
            Place::Mmio(announced) => {
                say!(
                    "device kind={} type={} mmio={:#x} gsi={}",
                    kind.name(),
                    kind.0,
                    announced.base,
                    announced.interrupt
                );
            }
        }
    }
    Ok(())
}
