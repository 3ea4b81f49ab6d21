//! The 16550 at port 0x3f8, as far as a witness needs it: bytes out, bytes in, by looking at the line status.

use crate::gate::{in8, out8};

const DATA: u16 = 0x3f8;
const LINE_STATUS: u16 = DATA + 5;
const DATA_READY: u8 = 1;
const TRANSMITTER_EMPTY: u8 = 0x20;

/// How long a byte waits for the transmitter before it is sent regardless.
const PATIENCE: u32 = 100_000;

/// Sends one byte; `polling` looks at the line status first, as every driver for real hardware does.
pub(crate) fn send(byte: u8, polling: bool) {
    if polling {
        let mut patience = PATIENCE;
        while in8(LINE_STATUS) & TRANSMITTER_EMPTY == 0 && patience > 0 {
            patience -= 1;
        }
    }
    out8(DATA, byte);
}

pub(crate) fn receive() -> Option<u8> {
    (in8(LINE_STATUS) & DATA_READY != 0).then(|| in8(DATA))
}
