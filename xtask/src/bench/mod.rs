//! `cargo xtask bench`: illico and, where it is installed, QEMU at the same work.
//!
//! Each part measures one thing, states its boundary, and becomes a table of `docs/benchmarks.md`. Parts that need Linux
//! guests run in the lab, on a clock that counts instructions, so that they repeat. Nothing is asserted here.

mod boot;
mod counting;
mod devices;
mod figures;
mod files;
mod many;
mod monitors;
mod plot;
mod report;
mod script;
mod spread;
mod start;
mod turn;

use std::process::ExitCode;

use clap::ValueEnum;

use crate::Error;
use figures::Figures;
pub use start::probe_programs;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// A ten-instruction guest on this host's KVM: the whole process, beside a bare KVM.
    Start,
    /// An exit up to the monitor and back on this host's KVM, with counters in and compiled out.
    Counting,
    /// A stock kernel to its init, in the lab.
    Boot,
    /// Disks, in the lab.
    Block,
    /// A network card on a tap, in the lab.
    Net,
    /// 64 KiB to the console, in the lab.
    Console,
    /// A file read from pmem and from a disk, in the lab.
    Pmem,
    /// 1,000 small files in an image's root and in a shared folder, in the lab.
    Files,
    /// 1 to 50 machines at once on this host's KVM.
    Many,
}

/// Writes the report from the figures that are kept.
pub fn write_report() -> Result<ExitCode, Error> {
    report::write(&Figures::read()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Measures the parts, all of them if none is named, keeps the figures and writes the report.
pub fn run(parts: &[Part], pairs: usize) -> Result<ExitCode, Error> {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    for part in parts {
        let tables = match part {
            Part::Start => vec![start::measure(pairs)?],
            Part::Counting => vec![counting::measure(pairs)?],
            Part::Boot => vec![boot::measure()?],
            Part::Block => vec![devices::block()?],
            Part::Net => vec![devices::net()?],
            Part::Console => vec![devices::console()?],
            Part::Pmem => vec![devices::pmem()?],
            Part::Files => vec![files::measure()?],
            Part::Many => vec![many::measure()?],
        };
        // Only now: another part may have been measured meanwhile.
        let mut figures = Figures::read()?;
        for table in tables {
            println!("{}\n", report::text(&table));
            figures.keep(table);
        }
        // After each part: what was measured is not lost when the next one fails.
        figures.write()?;
        report::write(&figures)?;
    }
    Ok(ExitCode::SUCCESS)
}
