//! `illico doctor`: whether this host can run guests, and what to do where it cannot.
//!
//! Each check is a file. It looks at one thing, changes nothing, and ends: what could take for ever has a
//! limit. What a check makes of what it saw is a function without side effects.

mod capabilities;
mod cgroup;
mod cpu;
mod entropy;
mod huge_pages;
mod io_uring;
mod kvm;
mod ring0;
mod tap;
mod vhost;

use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::status::Status;

pub const HELP: &str = "\
Examples:
  illico doctor
  illico doctor --json | jq -r '.[] | select(.verdict == \"problem\") | .fix'

Status:
  0    guests can run here (warnings cost speed or a device, not the guest)
  1    there is a problem: Linux guests do not run here
  125  illico could not do what was asked";

/// Options of `illico doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print an array of {check, verdict, text, fix} instead (docs/doctor.md has the schema).
    #[arg(long)]
    pub json: bool,
}

pub use crate::output::doctor::{Finding, Verdict};

/// Looks at everything and says what was found.
pub fn run(options: &Doctor) -> Result<Status, Failure> {
    let findings = examine();
    if options.json {
        output::print_json(&findings)?;
    } else {
        output::print(&output::doctor::lines(&findings, output::colour::on_stdout()))?;
    }
    let problem = findings.iter().any(|finding| finding.verdict == Verdict::Problem);
    Ok(if problem { Status::CannotRun } else { Status::Ended })
}

fn examine() -> Vec<Finding> {
    let mut findings = Vec::new();
    // Without KVM there is nothing to ask it.
    match kvm::open() {
        Ok((kvm, finding)) => findings.extend([finding, capabilities::check(&kvm), ring0::check(&kvm)]),
        Err(finding) => findings.push(finding),
    }
    findings.extend([cpu::check(), huge_pages::transparent(), huge_pages::pool(), io_uring::check()]);
    findings.extend([tap::check(), vhost::check(), cgroup::check(), entropy::check()]);
    findings
}
