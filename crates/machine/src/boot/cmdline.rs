//! The kernel command line: defaults for a machine without legacy hardware, then what the machine
//! announces, then the user's words, which come last so that they win.
//!
//! The bound is Linux's `COMMAND_LINE_SIZE` on x86: 2048 bytes with the final NUL.

use illico_memory::{OutOfRam, Ram};

use crate::arch::boot::places::COMMAND_LINE;

/// `COMMAND_LINE_SIZE` of Linux on x86, the final NUL included.
pub const COMMAND_LINE_SIZE: usize = 2048;

/// Where the guest's console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// A virtio console: `hvc0`.
    Virtio,
    /// The UART at port 0x3f8: `ttyS0`.
    Uart,
    /// Nowhere.
    None,
}

/// What the defaults depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Where the console is. There is a UART only if it is that.
    pub console: Console,
    /// Whether there is a PCI bus.
    pub pci: bool,
}

/// When a default applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// To every machine.
    Always,
    /// If the console is the virtio one.
    VirtioConsole,
    /// If there is a UART.
    Uart,
    /// If there is none.
    NoUart,
    /// If there is a PCI bus.
    Pci,
    /// If there is none.
    NoPci,
}

impl When {
    fn holds(self, machine: Machine) -> bool {
        match self {
            Self::Always => true,
            Self::VirtioConsole => machine.console == Console::Virtio,
            Self::Uart => machine.console == Console::Uart,
            Self::NoUart => machine.console != Console::Uart,
            Self::Pci => machine.pci,
            Self::NoPci => !machine.pci,
        }
    }
}

/// A word that is on the command line unless the defaults are left out.
#[derive(Debug, Clone, Copy)]
pub struct DefaultWord {
    /// The word.
    pub word: &'static str,
    /// When it is there.
    pub when: When,
    /// Why it is there.
    pub reason: &'static str,
}

/// All defaults, in the order in which they are given.
pub const DEFAULTS: &[DefaultWord] = &[
    default("console=hvc0", When::VirtioConsole, "the console is the virtio one"),
    default("console=ttyS0", When::Uart, "the console is the UART"),
    default("8250.nr_uarts=0", When::NoUart, "there is no UART: the driver need not look for four at their ports"),
    default("8250.nr_uarts=1", When::Uart, "there is one UART: the driver need not look for three more"),
    default(
        "pci=noearly",
        When::Pci,
        "configuration space is memory: no early scan of 32 slots through ports CF8 and CFC",
    ),
    default(
        "reserve=0xcf8,8",
        When::Pci,
        "ports CF8 to CFF are unclaimed: a kernel that finds them reserved does not probe them",
    ),
    default("pci=off", When::NoPci, "there is no PCI bus: no probing for one through ports CF8 to CFF"),
    default(
        "tsc=reliable",
        When::Always,
        "KVM keeps the TSCs together: no check at CPU start, no watchdog timer twice a second",
    ),
    default(
        "swiotlb=noforce",
        When::Always,
        "every device reaches all of the memory: no 64 MiB for bounce buffers where some of it is above 4 GiB",
    ),
    default("cryptomgr.notests", When::Always, "no self-tests of ciphers while booting"),
    default("panic=-1", When::Always, "a panic resets at once, and the reset ends the machine"),
    default(
        "reboot=panic_warm",
        When::Always,
        "a reset after a panic leaves the warm boot mark, which tells it from any other",
    ),
];

const fn default(word: &'static str, when: When, reason: &'static str) -> DefaultWord {
    DefaultWord { word, when, reason }
}

/// Why words cannot go on the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the variants and fields are")]
pub enum CommandLineError {
    /// Linux would cut it off.
    #[error("it has {len} bytes, {defaults} of them defaults, and Linux reads {most} at most")]
    TooLong { len: usize, defaults: usize, most: usize },
    /// A NUL would end it, other bytes arrive mangled.
    #[error("its byte {at} is {byte:#04x}; it takes printable ASCII characters and blanks only")]
    Byte { at: usize, byte: u8 },
}

/// A command line that fits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    text: String,
    /// How much of it the user did not write.
    defaults: usize,
}

impl CommandLine {
    /// Without any word.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the defaults for a machine.
    pub fn with_defaults(machine: Machine) -> Self {
        let words: Vec<_> = DEFAULTS.iter().filter(|d| d.when.holds(machine)).map(|d| d.word).collect();
        let text = words.join(" ");
        Self { defaults: text.len(), text }
    }

    /// Appends words: what the machine announces, then what the user wrote.
    pub fn push(&mut self, words: &str) -> Result<(), CommandLineError> {
        let words = words.trim_ascii();
        if words.is_empty() {
            return Ok(());
        }
        let bad = |&(_, byte): &(usize, u8)| !(byte.is_ascii_graphic() || byte == b' ');
        if let Some((at, byte)) = words.bytes().enumerate().find(bad) {
            return Err(CommandLineError::Byte { at, byte });
        }
        let blank = if self.text.is_empty() { "" } else { " " };
        let len = self.text.len() + blank.len() + words.len();
        let most = COMMAND_LINE_SIZE - 1;
        if len > most {
            return Err(CommandLineError::TooLong { len, defaults: self.defaults, most });
        }
        self.text.push_str(blank);
        self.text.push_str(words);
        Ok(())
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Writes it to its place, with the final NUL.
    pub(super) fn write(&self, ram: &Ram) -> Result<(), OutOfRam> {
        let mut bytes = self.text.clone().into_bytes();
        bytes.push(0);
        ram.write(COMMAND_LINE, &bytes)
    }
}

#[cfg(test)]
#[path = "cmdline_test.rs"]
mod tests;
