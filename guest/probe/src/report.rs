//! Lines for whoever reads the console: `probe: <experiment> key=value key=value`, values without spaces. A line is
//! sent as a whole, so that it costs a virtio console one chain.

use alloc::boxed::Box;
use core::fmt::{self, Write};

use virtio_drivers::device::console::VirtIOConsole;

use crate::device::Device;
use crate::dma::Identity;
use crate::gate::{interrupt_count, wait_interrupt};
use crate::only::Only;
use crate::registers::Registers;
use crate::uart;
use crate::wired::Wired;

/// Longer lines are cut.
const LONGEST: usize = 512;
const RECEIVE_QUEUE: u16 = 0;

pub(crate) struct VirtioConsole {
    driver: Box<VirtIOConsole<Identity, Wired>>,
    registers: Registers,
}

pub(crate) enum Console {
    Silent,
    Uart,
    Virtio(VirtioConsole),
}

impl Console {
    /// A virtio console whose receive queue interrupts.
    pub(crate) fn virtio(device: &Device, ecam: u64) -> Option<Self> {
        let transport = Wired::open(device, ecam, 1 << RECEIVE_QUEUE)?;
        let registers = transport.registers();
        let driver = Box::new(VirtIOConsole::new(transport).ok()?);
        Some(Self::Virtio(VirtioConsole { driver, registers }))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Silent => "none",
            Self::Uart => "uart",
            Self::Virtio(_) => "virtio",
        }
    }
}

static CONSOLE: Only<Console> = Only::new(Console::Silent);

struct Line {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // The last place is the line feed's.
            if self.length < LONGEST - 1 {
                self.bytes[self.length] = byte;
                self.length += 1;
            }
        }
        Ok(())
    }
}

pub(crate) fn open(console: Console) {
    // SAFETY: one thread, and the reference ends here.
    *unsafe { CONSOLE.get() } = console;
}

/// The console itself, for what only one kind of it has.
///
/// # Safety
/// No other function of this file is called while the reference is used.
pub(crate) unsafe fn console() -> &'static mut Console {
    // SAFETY: the caller's promise.
    unsafe { CONSOLE.get() }
}

/// Sends bytes as they are: a virtio console takes them as one chain.
pub(crate) fn send(bytes: &[u8]) {
    // SAFETY: one thread, and nothing called below gets at the console.
    match unsafe { CONSOLE.get() } {
        Console::Silent => {}
        Console::Uart => bytes.iter().for_each(|byte| uart::send(*byte, true)),
        // A console that fails has nowhere to say so.
        Console::Virtio(console) => _ = console.driver.send_bytes(bytes),
    }
}

/// Waits for a byte: by interrupt from a virtio console, by looking at a UART. `None` without a console.
pub(crate) fn receive() -> Option<u8> {
    // SAFETY: one thread, and nothing called below gets at the console.
    match unsafe { CONSOLE.get() } {
        Console::Silent => None,
        Console::Uart => loop {
            match uart::receive() {
                None => core::hint::spin_loop(),
                byte => break byte,
            }
        },
        Console::Virtio(console) => {
            let vector = console.registers.vector(RECEIVE_QUEUE);
            loop {
                let seen = interrupt_count(vector);
                match console.driver.recv(true).ok()? {
                    None => {
                        wait_interrupt(vector, seen);
                        console.registers.acknowledge();
                    }
                    byte => break byte,
                }
            }
        }
    }
}

pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; LONGEST], length: 0 };
    // Writing to a `Line` does not fail.
    let _ = write!(line, "probe: {text}");
    line.bytes[line.length] = b'\n';
    send(&line.bytes[..=line.length]);
}

/// `say!("hello version={}", 1)` sends `probe: hello version=1`.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => { $crate::report::line(format_args!($($argument)*)) };
}
