//! Runs the probe (guest/probe) in a machine in this process, for at most so long, and hears what it says.
//!
//! Everything that such a machine needs is memory without a name, so whatever becomes of this process leaves nothing
//! behind.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use illico_machine::build::{Files, Parts, Start, build};
use illico_machine::config::{Config, Console, Size, Switch};
use illico_machine::control::End;
use illico_machine::kvm::Kvm;
use illico_machine::report::Report;
use illico_machine::threads::{self, Role};
use illico_virtio::console;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::failure::Failure;

/// Characters of what a probe said last that an error shows: some send 64 KiB of them.
const SHOWN: usize = 200;

/// What became of a probe.
#[derive(Debug)]
pub struct Heard {
    /// How it ended.
    pub end: End,
    /// All that it said on its console.
    pub said: String,
    /// Where its exits went.
    pub report: Report,
}

/// The smallest machine there is, its probe doing these experiments and reporting through the UART.
pub fn config(experiments: &str) -> Config {
    Config {
        cmdline: format!("console=uart probe={experiments}"),
        default_cmdline: false,
        memory: Size::mebibytes(16),
        entropy: Switch::Off,
        console: Console::Uart,
        ..Config::default()
    }
}

/// Runs the probe in a machine like this, whose console, of whichever kind, is heard here.
pub fn run(kvm: &Kvm, config: &Config, limit: Duration) -> Result<Heard, Failure> {
    let files = Files { kernel: illico_probe_image::file(illico_probe_image::IMAGE)?, initrd: None };
    let mut screen = memory("console")?;
    let output = screen.try_clone()?;
    let mut parts = Parts::new(files);
    match config.console {
        Console::None => {}
        Console::Uart => parts.uart = Some(Box::new(output)),
        Console::Virtio => {
            let input = File::open("/dev/null")?;
            parts.console = Some(Box::new(console::Console::open(input.into(), output.into(), None)?));
        }
    }
    let machine = build(config, Start::with(kvm.clone())?, parts)?;
    let control = machine.control();
    let (running, ended) = channel::<()>();
    let watch = threads::spawn(Role::Timer, "probe limit", move || {
        if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            control.stop();
        }
    })?;
    let outcome = machine.run();
    drop(running);
    let _ = watch.join();
    let outcome = outcome?;
    let mut said = Vec::new();
    screen.seek(SeekFrom::Start(0))?;
    screen.read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok(Heard { report: outcome.report(), end: outcome.end, said })
}

/// A file in memory that has no name, and is no longer there when it is closed.
pub fn memory(what: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(format!("illico-{what}"), MemfdFlags::CLOEXEC)?))
}

impl Heard {
    /// The numbers of this name that an experiment reported, in order.
    pub fn figures(&self, experiment: &str, key: &str) -> Result<Vec<u64>, Failure> {
        let start = format!("probe: {experiment} ");
        let lines = self.said.lines().filter_map(|line| line.strip_prefix(&start));
        let values =
            lines.flat_map(str::split_ascii_whitespace).filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let numbers = values.map(|text| match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        });
        match numbers.collect::<Result<Vec<_>, _>>() {
            Ok(numbers) if self.end == End::PowerOff => Ok(numbers),
            _ => Err(self.told_not(experiment, key)),
        }
    }

    /// The last one of them.
    pub fn figure(&self, experiment: &str, key: &str) -> Result<u64, Failure> {
        self.figures(experiment, key)?.pop().ok_or_else(|| self.told_not(experiment, key))
    }

    fn told_not(&self, experiment: &str, key: &str) -> Failure {
        let ended = match &self.end {
            End::Stopped => "took too long (is this host busy?)".to_owned(),
            end => format!("ended with {end:?}"),
        };
        let from = self.said.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        let last = self.said.get(from..).unwrap_or_default();
        format!("the probe was to tell {key} of {experiment}, {ended}, and said last {last:?}").into()
    }
}

#[cfg(test)]
#[path = "probe_test.rs"]
mod tests;
