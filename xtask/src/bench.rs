//! `cargo xtask bench`: what a whole machine costs beside a bare KVM.
//!
//! A guest of ten instructions that shuts down at once, run by illico, and the same guest run by a program that does
//! nothing a monitor could do without (`guest/probe/run`, `floor`): the wall time of whole processes, pair by pair in
//! one run, as a ratio. Times are never asserted; the ratio is for people to compare.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::error::output_of;
use crate::project::{self, Profile};

/// Runs `pairs` pairs with each set of options and prints their quartiles.
pub fn start(pairs: usize) -> Result<ExitCode, Error> {
    let illico = project::illico(Profile::Release)?;
    let (floor, ten) = probe_programs()?;
    println!("whole process, {pairs} pairs each: illico beside a bare KVM, the same ten-instruction guest");
    println!("{:<28} {:>10} {:>10} {:>8} {:>16}", "", "floor", "illico", "ratio", "quartiles");
    for (name, options) in
        [("no device", ["--console", "none", "--entropy", "off"].as_slice()), ("console and entropy", [].as_slice())]
    {
        let mut boot = Command::new(&illico);
        boot.args(["boot", "--memory", "16M", "--kernel"]).arg(&ten).args(options);
        let mut bare = Command::new(&floor);
        let (mut floors, mut boots, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..pairs {
            let (one, other) = (time(&mut bare, &floor)?, time(&mut boot, &illico)?);
            ratios.push(other.as_secs_f64() / one.as_secs_f64());
            floors.push(one.as_secs_f64() * 1e3);
            boots.push(other.as_secs_f64() * 1e3);
        }
        let [floor, illico] = [&mut floors, &mut boots].map(|times| quartile(times, 2));
        let [low, ratio, high] = [1, 2, 3].map(|n| quartile(&mut ratios, n));
        println!("{name:<28} {floor:>7.2} ms {illico:>7.2} ms {ratio:>8.2} {:>16}", format!("{low:.2} to {high:.2}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds `floor` and `ten` where cargo puts them, and says where.
pub fn probe_programs() -> Result<(PathBuf, PathBuf), Error> {
    let manifest = project::root().join("guest/probe/Cargo.toml");
    let target = project::root().join("target/probe-bench");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--workspace", "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR");
    output_of(&mut cargo)?;
    Ok((target.join("release/floor"), target.join("release/ten")))
}

fn time(command: &mut Command, program: &Path) -> Result<Duration, Error> {
    // Cargo's own path, in which the loader would look for every library first, is nobody's else.
    command.env_remove("LD_LIBRARY_PATH");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let before = Instant::now();
    let status = command.status().map_err(Error::file("run", program))?;
    let took = before.elapsed();
    match status.success() {
        true => Ok(took),
        false => Err(Error::Failed { command: program.display().to_string(), status, stderr: String::new() }),
    }
}

fn quartile(values: &mut [f64], n: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * n / 4).copied().unwrap_or(f64::NAN)
}
