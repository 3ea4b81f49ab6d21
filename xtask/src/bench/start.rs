//! What a whole machine costs beside a bare KVM.
//!
//! A guest of ten instructions that shuts down at once, run by illico, and the same guest run by a program that does
//! nothing a monitor could do without (`guest/probe/run`, `floor`): the wall time of whole processes, pair by pair in
//! one run, as a ratio. Times are never asserted; the ratio is for people to compare.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::figures::{Row, Table};
use super::spread::quartile;
use super::turn::FirstTurn;
use crate::error::output_of;
use crate::project::{self, Profile};
use crate::{Error, packages};

/// QEMU is slower by so much that fewer runs tell the same.
const QEMU_SHARE: usize = 10;

/// Runs `pairs` pairs of each way.
pub fn measure(pairs: usize) -> Result<Table, Error> {
    let illico = project::illico(Profile::Release)?;
    let (floor, ten) = probe_programs()?;
    let _turn = FirstTurn::take();
    let mut rows = Vec::new();
    for (name, options) in [
        ("illico, no device", ["--console", "none", "--entropy", "off"].as_slice()),
        ("illico, console and entropy", [].as_slice()),
    ] {
        let mut boot = Command::new(&illico);
        boot.args(["boot", "--memory", "16M", "--kernel"]).arg(&ten).args(options);
        rows.push(compare(name, &floor, boot, &[0], pairs)?);
    }
    if let Some(qemu) = packages::find_program("qemu-system-x86_64") {
        let mut boot = Command::new(qemu);
        boot.args(
            "-M microvm -accel kvm -cpu host -m 16 -nodefaults -no-user-config -no-reboot -display none".split(' '),
        );
        // The guest writes 0x34 to its sleep register, at which this device ends QEMU with 2 x 0x34 + 1.
        boot.args(["-device", "isa-debug-exit,iobase=0x600,iosize=1", "-kernel"]).arg(&ten);
        rows.push(compare("QEMU microvm, no device", &floor, boot, &[0x69], (pairs / QEMU_SHARE).max(5))?);
    }
    Ok(Table {
        id: "start".to_owned(),
        title: "A guest of ten instructions".to_owned(),
        boundary: format!(
            "From fork to the end of the process, on this host's own /dev/kvm. Beside it, each time, the floor: a program that makes a \
             VM, a vCPU and 16 MiB, and runs the same ten instructions. {pairs} pairs, QEMU fewer; medians."
        ),
        columns: ["ratio to the floor", "lower quartile", "upper quartile", "floor, ms", "ms"].map(Into::into).to_vec(),
        rows,
        plotted: 0,
    })
}

fn compare(name: &str, floor: &Path, mut boot: Command, statuses: &[i32], pairs: usize) -> Result<Row, Error> {
    let mut bare = Command::new(floor);
    let (mut floors, mut boots, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (one, other) = (time(&mut bare, &[0])?, time(&mut boot, statuses)?);
        ratios.push(other.as_secs_f64() / one.as_secs_f64());
        floors.push(one.as_secs_f64() * 1e3);
        boots.push(other.as_secs_f64() * 1e3);
    }
    let [low, ratio, high] = [1, 2, 3].map(|n| quartile(&mut ratios, n));
    let [floor, boot] = [&mut floors, &mut boots].map(|times| quartile(times, 2));
    Ok(Row { name: name.to_owned(), values: [ratio, low, high, floor, boot].map(Some).to_vec() })
}

/// Builds `floor` and `ten` where cargo puts them, and says where.
pub fn probe_programs() -> Result<(PathBuf, PathBuf), Error> {
    let release = probe_workspace()?;
    Ok((release.join("floor"), release.join("ten")))
}

/// Builds the probe's workspace and returns the folder of its programs.
pub fn probe_workspace() -> Result<PathBuf, Error> {
    let manifest = project::root().join("guest/probe/Cargo.toml");
    let target = project::root().join("target/probe-bench");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--workspace", "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR");
    output_of(&mut cargo)?;
    Ok(target.join("release"))
}

fn time(command: &mut Command, statuses: &[i32]) -> Result<Duration, Error> {
    // Cargo's own path, in which the loader would look for every library first, is nobody's else.
    command.env_remove("LD_LIBRARY_PATH");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let program = command.get_program().to_owned();
    let before = Instant::now();
    let status = command.status().map_err(Error::file("run", &program))?;
    let took = before.elapsed();
    if status.code().is_some_and(|code| statuses.contains(&code)) {
        return Ok(took);
    }
    Err(Error::Failed { command: program.display().to_string(), status, stderr: String::new() })
}
