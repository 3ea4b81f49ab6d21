//! What counting costs: the same exits with counters in, and with counters compiled out.
//!
//! The probe guest writes to a port where nobody is, which is the shortest way up to the monitor and back; each way is
//! counted. It looks at its own clock before and after, so that starting the machine is no part of the figure. Two builds
//! run it in turn, now one first and now the other, so that what else the host does meets both. The second one (the
//! feature `uncounted`) exists for this and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::figures::{Row, Table};
use super::spread;
use super::turn::FirstTurn;
use crate::error::output_of;
use crate::project::{self, Profile};
use crate::{Error, Lab};

/// Exits of a run on this host: few, so that both of a pair meet the same of what else it does.
const EXITS: u32 = 2_000;
/// And in the lab, where nothing else happens.
const LAB_EXITS: u32 = 20_000;

/// Runs `pairs` pairs here, and one in the lab.
pub fn measure(pairs: usize) -> Result<Table, Error> {
    let counted = project::illico(Profile::Release)?;
    let uncounted = uncounted()?;
    Ok(Table {
        id: "counting".to_owned(),
        title: "What counting costs".to_owned(),
        boundary: format!(
            "Writes of the probe guest to a port where nobody is, each up to the monitor and back, from before the first to after the last by the \
             guest's own clock. With counters in, and compiled out. On this host's own /dev/kvm {EXITS} writes a run, {pairs} pairs in turn: \
             the median of the pairs' ratios with its confidence interval of 95 %, and medians. In the lab {LAB_EXITS} writes, one pair: its \
             clock counts instructions, of the guest, its KVM, and the monitor."
        ),
        columns: ["% slower", "from", "to", "an exit, counted", "an exit, uncounted"].map(Into::into).to_vec(),
        rows: vec![here(&counted, &uncounted, pairs)?, in_the_lab(counted, uncounted)?],
        plotted: 0,
    })
}

fn here(counted: &Path, uncounted: &Path, pairs: usize) -> Result<Row, Error> {
    let _turn = FirstTurn::take();
    let (mut ins, mut outs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let (with, without) = if pair % 2 == 0 {
            let with = round_trip(counted)?;
            (with, round_trip(uncounted)?)
        } else {
            let without = round_trip(uncounted)?;
            (round_trip(counted)?, without)
        };
        ratios.push((with / without - 1.0) * 100.0);
        ins.push(with);
        outs.push(without);
    }
    let [low, more, high] = spread::median(&mut ratios);
    let [with, without] = [&mut ins, &mut outs].map(|cycles| spread::quartile(cycles, 2).round());
    Ok(row("this host, TSC cycles", [Some(more), Some(low), Some(high), Some(with), Some(without)]))
}

fn in_the_lab(counted: PathBuf, uncounted: PathBuf) -> Result<Row, Error> {
    let words = words(LAB_EXITS).join(" ");
    let script = format!("for illico in counted uncounted; do $illico {words} </dev/null 2>&1; done");
    let lab = Lab::script(script).file(counted, "/bin/counted").file(uncounted, "/bin/uncounted").instruction_clock();
    let said = lab.run()?.text();
    let mut each = said.lines().filter_map(cycles);
    let (Some(with), Some(without)) = (each.next(), each.next()) else { return Err(no_figure(&said)) };
    let more = (with / without - 1.0) * 100.0;
    Ok(row("the lab, instructions", [Some(more), None, None, Some(with.round()), Some(without.round())]))
}

fn row(name: &str, values: [Option<f64>; 5]) -> Row {
    Row { name: name.to_owned(), values: values.to_vec() }
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

fn words(exits: u32) -> Vec<String> {
    let words = ["boot", "--kernel", ":probe:", "--memory", "32M", "--entropy", "off", "--cmdline"];
    words.map(str::to_owned).into_iter().chain([format!("probe=exits={exits}")]).collect()
}

/// What an exit and the way back take, by the guest's clock.
fn round_trip(illico: &Path) -> Result<f64, Error> {
    let mut command = Command::new(illico);
    command.args(words(EXITS)).env_remove("LD_LIBRARY_PATH").stdin(Stdio::null());
    let said = String::from_utf8_lossy(&output_of(&mut command)?).into_owned();
    said.lines().find_map(cycles).ok_or_else(|| no_figure(&said))
}

/// `probe: exits count=2000 port=0x80 cycles=1234567 each=617`: the cycles of one, with what is behind the point.
fn cycles(line: &str) -> Option<f64> {
    let number = |name: &str| {
        line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse::<f64>().ok())
    };
    line.contains("exits count=").then(|| Some(number("cycles")? / number("count")?))?
}

fn no_figure(said: &str) -> Error {
    Error::Kernel(format!("the probe did not tell what its exits took, but: {said}"))
}
