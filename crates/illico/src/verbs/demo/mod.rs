//! `illico demo`: what a virtual machine costs, as experiments made here and now.
//!
//! Each experiment is a file, which measures and knows nothing of how it is shown; `show::demo` says it in words,
//! on the terminal and as a page. The guest is always the built-in probe, so neither a kernel nor root is needed.

mod compute;
mod console;
mod disk;
mod page;
mod start;
mod wild;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use illico_machine::arch::kvm::cycles;
use illico_machine::kvm::Kvm;

use crate::failure::Failure;
use crate::output;
use crate::show::demo::{Findings, Host, SCHEMA, Screen, html, view};
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico demo
  illico demo --html report.html
  illico demo --json | jq .disk.pmem

docs/demo.md says what is measured, how, and what the figures mean.

Status:
  0    everything was measured
  125  illico could not do what was asked: the message says why";

/// Options of `illico demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Print what was measured as JSON instead (docs/demo.md has the schema).
    #[arg(long)]
    pub json: bool,

    /// Write a report with plots, a page that needs nothing else. Example: --html report.html
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Makes the experiments and shows them.
pub fn run(options: &Demo) -> Result<Status, Failure> {
    let kvm = Kvm::open()?;
    // Before anything is measured: who cannot be given the page does not wait for it.
    let page = options.html.as_deref().map(page::Page::open).transpose()?;
    let clock = Clock::start();
    let host = Host::look();
    let screen = Screen::open(!options.json);
    screen.title(&host)?;
    let compute = screen.measure(|| compute::measure(&kvm, &clock), view::compute)?;
    let start = screen.measure(start::measure, view::start)?;
    let console = screen.measure(|| console::measure(&kvm, &clock), view::console)?;
    let disk = screen.measure(|| disk::measure(&kvm, &clock), view::disk)?;
    let wild = screen.measure(wild::measure, view::wild)?;
    let seconds = clock.begun.elapsed().as_secs_f64();
    let findings = Findings { schema: SCHEMA, host, seconds, compute, start, console, disk, wild };
    if let Some(page) = page {
        page.fill(&html::page(&findings))?;
    }
    if options.json {
        output::print_json(&findings)?;
    }
    Ok(Status::Ended)
}

/// Turns ticks of the counter that guest and host share into time, by both clocks since the start.
#[derive(Debug)]
pub struct Clock {
    begun: Instant,
    ticks: u64,
}

impl Clock {
    fn start() -> Self {
        Self { begun: Instant::now(), ticks: cycles() }
    }

    /// Milliseconds. The longer the clock has run, the better it knows; to be asked after an experiment.
    pub fn milliseconds(&self, ticks: u64) -> f64 {
        let (ran, passed) = (self.begun.elapsed().as_secs_f64() * 1e3, cycles().wrapping_sub(self.ticks));
        ticks as f64 * ran / passed.max(1) as f64
    }
}
