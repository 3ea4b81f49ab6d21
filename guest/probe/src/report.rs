//! Lines for whoever reads the console: `probe: <experiment> key=value key=value`, values without spaces. A line is
//! sent as a whole, so that it costs a virtio console one chain.

use core::fmt::{self, Write};

use crate::only::Only;
use crate::uart;

/// Longer lines are cut.
const LONGEST: usize = 512;

#[derive(Debug)]
pub(crate) enum Console {
    Silent,
    Uart,
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

/// Sends bytes as they are.
pub(crate) fn send(bytes: &[u8]) {
    // SAFETY: one thread, and nothing called below gets at the console.
    match unsafe { CONSOLE.get() } {
        Console::Silent => {}
        Console::Uart => bytes.iter().for_each(|byte| uart::send(*byte, true)),
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
