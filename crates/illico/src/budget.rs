//! `--budget budget.toml`: the most exits that a guest may spend, and by how much it spent more.
//!
//! docs/exits.md has the format. What a budget does not name is not limited. Host interrupts belong to
//! no guest: a total leaves them out.

use std::collections::BTreeMap;

use illico_machine::exits::Party;
use illico_machine::report::{REASONS, Report};
use serde::Deserialize;

/// A budget as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// All exits but the host's interrupts and the monitor's own signals.
    total: Option<u64>,
    /// By reason: what KVM handled and what came up.
    reasons: BTreeMap<String, u64>,
    /// By who answered: kicks, and accesses that came up.
    devices: BTreeMap<String, u64>,
}

/// Why a budget cannot be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Not a budget.
    #[error("{0}")]
    Format(String),
    /// There is no such reason.
    #[error("there is no reason {name:?}; these are: {}", REASONS.join(", "))]
    Reason {
        /// What was written.
        name: String,
    },
    /// The machine has no such device.
    #[error("this machine has no device {name:?}; it has: {known}")]
    Device {
        /// What was written.
        name: String,
        /// What could be.
        known: String,
    },
    /// It would hold whatever the guest does.
    #[error("it limits nothing; give it a total, [reasons] or [devices]")]
    Empty,
    /// KVM keeps it to itself.
    #[error("this host's KVM does not count {name}; `illico doctor` tells what it does")]
    NotCounted {
        /// The limit.
        name: String,
    },
}

/// A limit that was passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// `total`, a reason, or a device.
    pub name: String,
    /// What was allowed.
    pub allowed: u64,
    /// What was spent.
    pub spent: u64,
}

impl Budget {
    /// Reads a budget.
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        let budget: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count());
            let place = line.map(|line| format!(" at line {line}")).unwrap_or_default();
            BudgetError::Format(format!("{}{place}", error.message().replace('\n', " ")))
        })?;
        if let Some(name) = budget.reasons.keys().find(|name| !REASONS.contains(&name.as_str())) {
            return Err(BudgetError::Reason { name: name.clone() });
        }
        if budget == Self::default() {
            return Err(BudgetError::Empty);
        }
        Ok(budget)
    }

    /// Whether a machine with these devices can be held to it.
    pub fn check<'a>(&self, devices: impl Iterator<Item = &'a str>) -> Result<(), BudgetError> {
        let known: Vec<_> = devices.chain(Party::FIXED.map(Party::name)).collect();
        match self.devices.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(BudgetError::Device { name: name.clone(), known: known.join(", ") }),
            None => Ok(()),
        }
    }

    /// Every limit that was passed: the total first, then reasons and devices by name.
    pub fn excess(&self, report: &Report) -> Result<Vec<Excess>, BudgetError> {
        let mut passed = Vec::new();
        let mut hold = |name: &str, allowed: u64, spent: Option<u64>| {
            let name = name.to_owned();
            match spent {
                Some(spent) if spent > allowed => passed.push(Excess { name, allowed, spent }),
                Some(_) => {}
                None => return Err(BudgetError::NotCounted { name }),
            }
            Ok(())
        };
        if let Some(allowed) = self.total {
            let exits: Option<u64> = report.vcpus.iter().map(|vcpu| vcpu.exits).sum();
            let of_the_host =
                by_reason(report, "host-interrupt").unwrap_or(0) + by_reason(report, "signal").unwrap_or(0);
            hold("total", allowed, exits.map(|exits| exits.saturating_sub(of_the_host)))?;
        }
        for (reason, &allowed) in &self.reasons {
            hold(reason, allowed, by_reason(report, reason))?;
        }
        for (device, &allowed) in &self.devices {
            hold(device, allowed, Some(by_device(report, device)))?;
        }
        Ok(passed)
    }
}

/// Exits of one reason on all vCPUs; `None` where this host does not tell.
fn by_reason(report: &Report, reason: &str) -> Option<u64> {
    if reason == "kick" {
        // Known by queue, whichever vCPU it was.
        return Some(report.devices.iter().flat_map(|device| &device.queues).map(|queue| queue.kicks).sum());
    }
    let rows = report.vcpus.iter().flat_map(|vcpu| &vcpu.reasons).filter(|row| row.reason == reason);
    // What only the monitor can count has nothing for the kernel to tell.
    rows.map(|row| match row.reason.as_ref() {
        "signal" | "eoi" => Some(row.monitor),
        _ => row.kernel.map(|kernel| kernel + row.monitor),
    })
    .sum()
}

fn by_device(report: &Report, device: &str) -> u64 {
    let kicks = report.devices.iter().filter(|row| row.name == device).flat_map(|row| &row.queues);
    let came_up = report.monitor.iter().filter(|row| row.party == device);
    kicks.map(|queue| queue.kicks).sum::<u64>() + came_up.map(|row| row.exits).sum::<u64>()
}

#[cfg(test)]
#[path = "budget_test.rs"]
mod tests;
