//! The command line: `probe=<experiment>[=<argument>][,<experiment>...]`, options as `probe.<key>=<value>`, the
//! console as `console=uart` or Linux's `console=ttyS0`, and virtio-mmio devices as Linux takes them: `virtio_mmio.device=<size>@<base>:<irq>`.
//! Anything else is left alone, since Linux's own options may stand on the same line.

use crate::only::Only;

const LONGEST: usize = 4096;

static COPY: Only<[u8; LONGEST]> = Only::new([0; LONGEST]);

#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandLine(&'static str);

/// A device as the command line announces it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    pub(crate) base: u64,
    pub(crate) size: u64,
    pub(crate) interrupt: u32,
}

impl CommandLine {
    /// Copies the line away from memory that the allocator is about to own; called once.
    pub(crate) fn keep(line: &str) -> Self {
        // SAFETY: called once, so this is the only reference, and it is given up to the shared one below.
        let copy = unsafe { COPY.get() };
        let length = line.len().min(LONGEST);
        copy[..length].copy_from_slice(&line.as_bytes()[..length]);
        Self(core::str::from_utf8(&copy[..length]).unwrap_or(""))
    }

    /// Values of every `key=` on the line.
    fn values(self, key: &'static str) -> impl Iterator<Item = &'static str> {
        self.0.split_ascii_whitespace().filter_map(move |word| word.strip_prefix(key)?.strip_prefix('='))
    }

    pub(crate) fn experiments(self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        self.values("probe").flat_map(|list| list.split(',')).filter(|item| !item.is_empty()).map(|item| {
            match item.split_once('=') {
                Some((name, argument)) => (name, Some(argument)),
                None => (item, None),
            }
        })
    }

    pub(crate) fn wants_uart(self) -> bool {
        self.values("console").any(|value| value == "uart" || value == "ttyS0" || value.starts_with("ttyS0,"))
    }

    /// `probe.<key>=<value>`; the last one counts.
    pub(crate) fn option(self, key: &str) -> Option<&'static str> {
        self.0
            .split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix("probe.")?.strip_prefix(key)?.strip_prefix('='))
            .next_back()
    }

    pub(crate) fn number(self, key: &str, otherwise: u64) -> u64 {
        self.option(key).and_then(number).unwrap_or(otherwise)
    }

    pub(crate) fn devices(self) -> impl Iterator<Item = Announced> {
        self.values("virtio_mmio.device").filter_map(|value| {
            let (size, rest) = value.split_once('@')?;
            let mut rest = rest.split(':');
            let base = number(rest.next()?)?;
            let interrupt = u32::try_from(number(rest.next()?)?).ok()?;
            Some(Announced { base, size: number(size)?, interrupt })
        })
    }
}

/// A number as Linux's `memparse` reads it: decimal or `0x`, with K, M or G behind it.
pub(crate) fn number(text: &str) -> Option<u64> {
    let (digits, scale) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok()?,
        None => digits.parse().ok()?,
    };
    value.checked_mul(scale)
}
