//! A 16550 UART, present only if the console is one: it shows what a console costs where each character is an
//! exit, and is a console for kernels that have no driver for another.
//!
//! The registers are `vm-superio`'s. Baud rate, parity and flow control are accepted and without effect; the
//! receive FIFO has 64 bytes, as there, and what is typed ahead waits behind it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io::Write;

use vm_superio::{Serial as Registers, Trigger, serial::NoEvents};

/// The first of the UART's ports, where every kernel looks for it.
pub const PORT: u16 = 0x3f8;
/// How many ports it has.
pub const PORTS: u16 = 8;

/// Bytes of the receive FIFO, as `vm-superio` has it.
const FIFO: usize = 64;

/// What may wait behind the receive FIFO. What is typed beyond it is lost, as on any line without
/// flow control.
const TYPED_AHEAD: usize = 64 << 10;

/// Offset of the receive buffer and the transmit holding register.
const DATA: u8 = 0;

/// The UART. Its ports and its input are two threads' business, so it is kept behind a lock.
pub struct Serial {
    registers: Registers<Line, NoEvents, Box<dyn Write + Send>>,
    typed: VecDeque<u8>,
}

/// The interrupt line.
struct Line(Box<dyn Fn() + Send>);

impl Trigger for Line {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        (self.0)();
        Ok(())
    }
}

impl Serial {
    /// A UART that writes to `output`, which takes all that it is given without waiting, and raises an edge-triggered
    /// interrupt by calling `interrupt`.
    pub fn new(interrupt: impl Fn() + Send + 'static, output: impl Write + Send + 'static) -> Self {
        let registers = Registers::new(Line(Box::new(interrupt)), Box::new(output) as Box<dyn Write + Send>);
        Self { registers, typed: VecDeque::new() }
    }

    /// The guest reads a port, counted from the first.
    pub fn read(&mut self, offset: u8) -> u8 {
        let value = self.registers.read(offset);
        // Not before the FIFO is empty: one interrupt announces all bytes that fit.
        if offset == DATA && self.registers.fifo_capacity() == FIFO {
            self.refill();
        }
        value
    }

    /// The guest writes a port, counted from the first.
    pub fn write(&mut self, offset: u8, value: u8) {
        // A character that the host does not take is lost: a UART has no way to report it.
        let _ = self.registers.write(offset, value);
        // It may have left loopback, in which nothing is received.
        self.refill();
    }

    /// Bytes arrive from the line. Says how many were kept.
    pub fn input(&mut self, bytes: &[u8]) -> usize {
        let kept = bytes.len().min(TYPED_AHEAD.saturating_sub(self.typed.len()));
        self.typed.extend(bytes.iter().take(kept));
        self.refill();
        kept
    }

    /// Fills the FIFO with what waits.
    fn refill(&mut self) {
        while !self.typed.is_empty() {
            // An error says that the FIFO is full.
            match self.registers.enqueue_raw_bytes(self.typed.as_slices().0) {
                Ok(count @ 1..) => drop(self.typed.drain(..count)),
                Ok(0) | Err(_) => break,
            }
        }
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({} bytes typed ahead)", self.typed.len())
    }
}

#[cfg(test)]
#[path = "serial_test.rs"]
mod tests;
