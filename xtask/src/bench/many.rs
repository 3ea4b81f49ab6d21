//! Many machines at once on this host's own KVM: how much memory each adds, and how fast they start.
//!
//! The guest is the probe, which says hello and then waits for a line on its console, halted. A machine counts as started
//! when it has said so.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::figures::{Row, Table};
use super::start::probe_workspace;
use crate::project::{self, Profile};
use crate::{Error, packages};

const NUMBERS: [usize; 4] = [1, 5, 20, 50];
const WORDS: &str = "probe=hello,echo";
/// What the probe says when it waits.
const READY: &str = "probe: echo ready";

/// Starts 1 to 50 machines of each monitor.
pub fn measure() -> Result<Table, Error> {
    let illico = project::illico(Profile::Release)?;
    let probe = probe_workspace()?.join("probe");
    let mut rows = Vec::new();
    let qemu = packages::find_program("qemu-system-x86_64");
    for number in NUMBERS {
        let one = || {
            let mut command = Command::new(&illico);
            command.args(["boot", "--memory", "32M", "--cmdline", WORDS, "--kernel"]).arg(&probe);
            command
        };
        rows.push(row("illico", number, one)?);
        let Some(qemu) = &qemu else { continue };
        let one = || {
            let mut command = Command::new(qemu);
            command.args(
                "-M microvm,pit=off,pic=off,rtc=off,acpi=off,isa-serial=off -accel kvm -cpu host -m 32".split(' '),
            );
            command.args("-nodefaults -no-user-config -no-reboot -display none -chardev stdio,id=c".split(' '));
            command.args("-device virtio-serial-device -device virtconsole,chardev=c -append".split(' '));
            command.arg(WORDS).arg("-kernel").arg(&probe);
            command
        };
        rows.push(row("QEMU microvm", number, one)?);
    }
    Ok(Table {
        id: "many".to_owned(),
        title: "Many machines at once".to_owned(),
        boundary: "The probe guest with a VirtIO console and 32 MiB of RAM, halted after its hello, on this host's own /dev/kvm. Private memory is \
                   what the process alone has (smaps: Private_Clean and Private_Dirty), RAM of the guest left out; median of the machines. Of a single one the program's own pages are among it, which several share. The \
                   rate is from the first fork to the last hello."
            .to_owned(),
        columns: ["private KiB each", "starts a second"].map(Into::into).to_vec(),
        rows,
        plotted: 0,
    })
}

fn row(name: &str, number: usize, command: impl Fn() -> Command) -> Result<Row, Error> {
    let mut machines = Vec::with_capacity(number);
    let result = start(number, command, &mut machines);
    for machine in &mut machines {
        // One that has ended by itself is gone, which `result` tells.
        let _ = machine.kill();
        let _ = machine.wait();
    }
    let (memory, rate) = result?;
    let plural = if number == 1 { "" } else { "s" };
    Ok(Row { name: format!("{number} machine{plural}: {name}"), values: vec![Some(memory), Some(rate)] })
}

fn start(number: usize, command: impl Fn() -> Command, machines: &mut Vec<Child>) -> Result<(f64, f64), Error> {
    let before = Instant::now();
    for _ in 0..number {
        let mut command = command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).env_remove("LD_LIBRARY_PATH");
        machines.push(command.spawn().map_err(Error::file("run", command.get_program()))?);
    }
    for machine in machines.iter_mut() {
        // By reference: the pipe stays open, so that the machine can go on.
        let Some(output) = &mut machine.stdout else { continue };
        if !BufReader::new(output).lines().any(|line| line.is_ok_and(|line| line.starts_with(READY))) {
            return Err(Error::Kernel("a machine ended before it said hello".to_owned()));
        }
    }
    let rate = number as f64 / before.elapsed().as_secs_f64();
    let mut memory = machines.iter().map(|machine| private_kib(machine.id())).collect::<Result<Vec<_>, _>>()?;
    memory.sort_by(f64::total_cmp);
    Ok((memory.get(memory.len() / 2).copied().unwrap_or(f64::NAN), rate))
}

/// KiB that only this process has, but for mappings as large as the guest's RAM.
fn private_kib(pid: u32) -> Result<f64, Error> {
    const RAM_KIB: u64 = 32 << 10;
    let path = format!("/proc/{pid}/smaps");
    let smaps = fs::read_to_string(&path).map_err(Error::file("read", Path::new(&path)))?;
    let (mut ram, mut sum) = (false, 0);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let (key, value) = (words.next(), words.next().and_then(|word| word.parse::<u64>().ok()));
        match (key, value) {
            (Some("Size:"), Some(size)) => ram = size == RAM_KIB,
            (Some("Private_Clean:" | "Private_Dirty:"), Some(kib)) if !ram => sum += kib,
            _ => {}
        }
    }
    Ok(sum as f64)
}
