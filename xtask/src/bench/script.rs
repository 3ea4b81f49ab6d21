//! Runs in the lab: a script that measures commands, and what came of each.

use std::collections::BTreeMap;

use super::monitors::bring_qemu;
use crate::project::{self, Profile};
use crate::{Error, ExitHistogram, Lab};

/// `measure NAME COMMAND...`: runs the command, for at most 8,000 million instructions, then prints how many of them the lab
/// executed meanwhile (its clock advances by a nanosecond for each) and the histogram of exits.
const PRELUDE: &str = "
now() { sed -n 's/^now at \\([0-9]*\\) nsecs/\\1/p' /proc/timer_list; }
measure() {
    name=$1; shift
    before=$(now)
    count-exits timeout -s KILL 8 \"$@\" </dev/null >/tmp/said 2>&1
    status=$?
    after=$(now)
    echo \"MEASURED $name $status $((after - before))\"
    sed 's/^/EXITS /' /tmp/exits.txt
    [ $status = 0 ] || sed 's/^/SAID /' /tmp/said
}
";

/// What one command cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Of the lab, waiting left out, in millions.
    pub instructions: f64,
    pub exits: ExitHistogram,
}

impl Cost {
    /// What this one cost more than `other`, for each of `units`.
    pub fn beyond(&self, other: &Cost, units: f64) -> Beyond {
        let more = |count: fn(&ExitHistogram) -> u64| (count(&self.exits) as f64 - count(&other.exits) as f64) / units;
        Beyond {
            exits: more(ExitHistogram::without_intr),
            memory: more(|exits| exits.count("NPF")),
            instructions: (self.instructions - other.instructions) * 1e3 / units,
        }
    }
}

/// What a unit of work cost.
#[derive(Debug, Clone, Copy)]
pub struct Beyond {
    /// Without the host's own interrupts.
    pub exits: f64,
    /// Those of them that devices and memory are answerable for: page faults and MMIO, kicks among it. The rest are timers
    /// that the guest arms, its halts, and the CPUID of programs that it starts.
    pub memory: f64,
    /// In thousands.
    pub instructions: f64,
}

/// Runs the script in a lab of its own with these files.
pub fn run(script: &str, files: &[(&str, Vec<u8>)]) -> Result<BTreeMap<String, Cost>, Error> {
    let script = format!("{PRELUDE}\n{script}");
    let mut lab = bring_qemu(Lab::script(script).program(project::illico(Profile::Release)?));
    for (name, bytes) in files {
        lab = lab.bytes(format!("/root/{name}"), 0o644, bytes.clone());
    }
    let outcome = lab.module("tun").instruction_clock().timeout(std::time::Duration::from_secs(1800)).run()?;
    parse(&outcome.text())
}

fn parse(output: &str) -> Result<BTreeMap<String, Cost>, Error> {
    let mut costs = BTreeMap::new();
    for block in output.split("MEASURED ").skip(1) {
        let mut lines = block.lines();
        let words: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
        let bad = || Error::ExitLine { line: words.join(" ") };
        let [name, status, nanoseconds] = words[..] else { return Err(bad()) };
        let exits: Vec<&str> = lines.clone().filter_map(|line| line.strip_prefix("EXITS ")).collect();
        if status != "0" {
            let said: Vec<&str> = lines.filter_map(|line| line.strip_prefix("SAID ")).collect();
            eprintln!("left out: {name} ended with {status}: {}", said.join("\n  "));
            continue;
        }
        let instructions = nanoseconds.parse::<f64>().map_err(|_| bad())? / 1e6;
        costs.insert(name.to_owned(), Cost { instructions, exits: ExitHistogram::parse(&exits.join("\n"))? });
    }
    Ok(costs)
}
