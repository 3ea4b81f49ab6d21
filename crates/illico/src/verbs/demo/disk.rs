//! 4 KiB blocks, read by a guest through three devices. Each is measured as the difference of two runs that differ in
//! nothing but the number of blocks, so that finding and setting up the device is in neither figure.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

use illico_machine::config::{Announce, Config, Transport, key_value};
use illico_machine::kvm::Kvm;
use illico_machine::report::Report;

use super::Clock;
use crate::failure::Failure;
use crate::show::demo::{Disk, Path};
use crate::verbs::probe::{self, Heard};

const BLOCK: u64 = 4096;
/// Blocks of the images.
const BLOCKS: u64 = 512;
const READS: u64 = 512;
/// Reads of the shorter run, which are in both.
const COMMON: u64 = 64;
/// Times that the longer run reads all of a pmem device more often than the shorter one.
const PASSES: u64 = 8;
const LIMIT: Duration = Duration::from_secs(30);

/// Reads by all three.
pub fn measure(kvm: &Kvm, clock: &Clock) -> Result<Disk, Failure> {
    let image = probe::memory("image")?;
    image.set_len(BLOCK * BLOCKS)?;
    let by = |transport| by_request(kvm, clock, &image, transport);
    let (mmio, pci) = (by(Transport::Mmio)?, by(Transport::Pci)?);
    Ok(Disk { block_bytes: BLOCK, mmio, pci, pmem: by_memory(kvm, clock, &image)? })
}

fn path(image: &File) -> String {
    format!("path=/proc/self/fd/{},readonly", image.as_raw_fd())
}

/// One request after the other, each answered by an interrupt, as Linux's driver does it.
fn by_request(kvm: &Kvm, clock: &Clock, image: &File, transport: Transport) -> Result<Path, Failure> {
    let disk = vec![key_value::from_str(&path(image))?];
    let run = |requests: u64| {
        let announce = if transport == Transport::Mmio { Announce::Cmdline } else { Announce::Acpi };
        let base = probe::config("blk");
        let cmdline = format!("{} probe.wait=each probe.requests={requests}", base.cmdline);
        let config = Config { cmdline, transport, announce, disk: disk.clone(), ..base };
        let heard = probe::run(kvm, &config, LIMIT)?;
        match heard.figure("blk", "failed")? {
            0 => Ok(heard),
            failed => Err(Failure::from(format!("{failed} of {requests} reads failed"))),
        }
    };
    let (few, many) = (run(COMMON)?, run(COMMON + READS)?);
    let ticks = many.figure("blk", "cycles")? / (COMMON + READS);
    Ok(difference(&few, &many, READS, clock.milliseconds(ticks) * 1e3))
}

/// The device's memory, read like any other.
fn by_memory(kvm: &Kvm, clock: &Clock, image: &File) -> Result<Path, Failure> {
    let pmem = vec![key_value::from_str(&path(image))?];
    let run = |passes: u64| {
        let base = probe::config("pmem");
        let cmdline = format!("{} probe.passes={passes}", base.cmdline);
        let heard = probe::run(kvm, &Config { cmdline, pmem: pmem.clone(), ..base }, LIMIT)?;
        heard.figure("pmem", "cycles").map(|ticks| (heard, ticks))
    };
    let ((once, _), (often, ticks)) = (run(1)?, run(1 + PASSES)?);
    // Of the fastest pass alone: of one when all pages had been touched.
    Ok(difference(&once, &often, PASSES * BLOCKS, clock.milliseconds(ticks) * 1e3 / BLOCKS as f64))
}

fn difference(few: &Heard, many: &Heard, blocks: u64, microseconds: f64) -> Path {
    let each = |count: &dyn Fn(&Report) -> u64| {
        // Less than nothing is noise.
        count(&many.report).saturating_sub(count(&few.report)) as f64 / blocks as f64
    };
    let reason = |report: &Report, name: &str| {
        let rows = report.vcpus.iter().flat_map(|vcpu| &vcpu.reasons).filter(|row| row.reason == name);
        rows.map(|row| row.monitor + row.kernel.unwrap_or(0)).sum::<u64>()
    };
    let named = |report: &Report| ["kick", "mmio", "hlt", "port"].iter().map(|name| reason(report, name)).sum::<u64>();
    let told = many.report.vcpus.first().is_some_and(|vcpu| vcpu.exits.is_some());
    Path {
        blocks,
        kicks: each(&|report| reason(report, "kick")),
        registers: each(&|report| reason(report, "mmio")),
        halts: each(&|report| reason(report, "hlt")),
        other: told.then(|| {
            each(&|report| {
                let all: u64 = report.vcpus.iter().filter_map(|vcpu| vcpu.exits).sum();
                all.saturating_sub(named(report))
            })
        }),
        microseconds,
    }
}
