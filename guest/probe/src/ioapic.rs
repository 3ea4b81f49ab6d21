//! The I/O APIC at 0xfec00000 (82093AA data sheet): virtio-mmio devices and the UART interrupt through it. Edge
//! triggered, so it wants no EOI.

use crate::region::Region;

const IOAPIC: Region = Region(0xfec0_0000);
const SELECT: usize = 0x00;
const WINDOW: usize = 0x10;
const REDIRECTION: u32 = 0x10;

pub(crate) fn write(index: u32, value: u32) {
    IOAPIC.write(SELECT, index);
    IOAPIC.write(WINDOW, value);
}

/// Has `pin` raise `vector` on processor 0: fixed delivery, physical destination, active high, edge, not masked.
pub(crate) fn route(pin: u32, vector: u8) {
    write(REDIRECTION + pin * 2 + 1, 0);
    write(REDIRECTION + pin * 2, u32::from(vector));
}
