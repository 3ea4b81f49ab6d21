//! What counting costs: the same exits with counters in, and with counters compiled out.
//!
//! The probe guest writes to a port where nobody is, which is the shortest way up to the monitor and back; each way is
//! counted. Two builds run it in turn, now one first and now the other, so that what else the host does meets both. The
//! second one (the feature `uncounted`) exists for this and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::figures::{Row, Table};
use crate::error::output_of;
use crate::project::{self, Profile};
use crate::{Error, packages};

/// Exits of a run: so many that starting the machine is a hundredth of it.
const EXITS: u32 = 20_000;

/// Runs `pairs` pairs.
pub fn measure(pairs: usize) -> Result<Table, Error> {
    let counted = project::illico(Profile::Release)?;
    let uncounted = uncounted()?;
    let (mut ins, mut outs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let (with, without) = if pair % 2 == 0 {
            let with = round_trip(&counted)?;
            (with, round_trip(&uncounted)?)
        } else {
            let without = round_trip(&uncounted)?;
            (round_trip(&counted)?, without)
        };
        ratios.push(with / without);
        ins.push(with);
        outs.push(without);
    }
    let [low, more, high] = [1, 2, 3].map(|n| (quartile(&mut ratios, n) - 1.0) * 100.0);
    let [with, without] = [&mut ins, &mut outs].map(|times| quartile(times, 2) * 1e6);
    let values = [more, low, high, with, without].map(Some).to_vec();
    Ok(Table {
        id: "counting".to_owned(),
        title: "What counting costs".to_owned(),
        boundary: format!(
            "{EXITS} writes of the probe guest to a port where nobody is, each up to the monitor and back, on this host's own /dev/kvm; \
             the whole process, a hundredth of which is its start. With counters in, and compiled out, {pairs} pairs in turn; medians."
        ),
        columns: ["% slower", "lower quartile", "upper quartile", "counted, us an exit", "uncounted, us an exit"]
            .map(Into::into)
            .to_vec(),
        rows: vec![Row { name: "an exit and back".to_owned(), values }],
        plotted: 0,
    })
}

/// Builds illico without counters, in a place of its own.
fn uncounted() -> Result<PathBuf, Error> {
    let target = project::root().join("target/uncounted");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--package", "illico", "--features", "illico-machine/uncounted"]);
    cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR").current_dir(project::root());
    output_of(&mut cargo)?;
    Ok(target.join("release/illico"))
}

/// Seconds that an exit and the way back take.
fn round_trip(illico: &Path) -> Result<f64, Error> {
    // With a fixed turn before all others (chrt, as root) a run is not interrupted by what else runs.
    let mut command = match packages::find_program("chrt").filter(|_| is_root()) {
        Some(chrt) => {
            let mut command = Command::new(chrt);
            command.args(["-f", "50"]).arg(illico);
            command
        }
        None => Command::new(illico),
    };
    command.args(["boot", "--kernel", ":probe:", "--memory", "32M", "--console", "none", "--entropy", "off"]);
    command.arg("--cmdline").arg(format!("probe=exits={EXITS}"));
    command.env_remove("LD_LIBRARY_PATH").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let before = Instant::now();
    let status = command.status().map_err(Error::file("run", illico))?;
    let took = before.elapsed();
    match status.success() {
        true => Ok(took.as_secs_f64() / f64::from(EXITS)),
        false => Err(Error::Failed { command: illico.display().to_string(), status, stderr: String::new() }),
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn quartile(values: &mut [f64], n: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * n / 4).copied().unwrap_or(f64::NAN)
}
