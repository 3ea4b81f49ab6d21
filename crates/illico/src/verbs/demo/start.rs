//! From exec to the end: a process that does nothing, a machine that does nothing, and a process that does nothing in
//! namespaces of its own, in turns.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::failure::Failure;
use crate::show::demo::{Namespaces, Spread, Start};

const ROUNDS: usize = 30;

/// Ten instructions that power off, in the smallest machine there is.
const MACHINE: [&str; 9] = ["boot", "--kernel", ":ten:", "--memory", "16M", "--console", "none", "--entropy", "off"];

/// What unshare(1) is asked for, one kind of namespace each, where the user may; and by root, who needs no user namespace.
const NAMESPACES: [&str; 6] = ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup"];
const USER_NAMESPACE: [&str; 2] = ["--user", "--map-root-user"];

/// Starts them in turns.
pub fn measure() -> Result<Start, Failure> {
    // Found by what the kernel runs, since the file may have another name by now.
    let mut machine = command("/proc/self/exe", MACHINE);
    let mut process = command("true", []);
    let namespaces = namespaces();
    // The first time of each warms caches, and says whether it works.
    time(&mut process)?;
    time(&mut machine)?;
    let (mut with_process, mut with_machine, mut in_namespaces) = (Vec::new(), Vec::new(), Vec::new());
    let mut unshare = namespaces.as_ref().ok().map(|options| command("unshare", options.iter().copied()));
    for _ in 0..ROUNDS {
        with_process.push(time(&mut process)?);
        with_machine.push(time(&mut machine)?);
        if let Some(unshare) = &mut unshare {
            in_namespaces.push(time(unshare)?);
        }
    }
    let (process_ms, machine_ms) = (Spread::of(with_process), Spread::of(with_machine));
    let namespaces = match namespaces {
        Ok(options) => {
            let user = usize::from(options.contains(&USER_NAMESPACE[0]));
            Namespaces::Made { kinds: NAMESPACES.len() + user, ms: Spread::of(in_namespaces) }
        }
        Err(why) => Namespaces::Refused { why },
    };
    Ok(Start { ratio: machine_ms.ratio(&process_ms), process_ms, machine_ms, namespaces })
}

/// Options of unshare(1) that work here, or why none do.
fn namespaces() -> Result<Vec<&'static str>, String> {
    let with_user = [&USER_NAMESPACE[..], &NAMESPACES, &["--fork", "true"]].concat();
    let without = [&NAMESPACES[..], &["--fork", "true"]].concat();
    let first = tried(&with_user);
    match first {
        Ok(()) => Ok(with_user),
        Err(why) => tried(&without).map(|()| without).map_err(|_| why),
    }
}

fn tried(options: &[&str]) -> Result<(), String> {
    let output = command("unshare", options.iter().copied()).stderr(Stdio::piped()).output();
    let output = output.map_err(|error| format!("unshare: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.lines().next().unwrap_or("unshare failed").to_owned()) }
}

fn command<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Milliseconds from fork to the end.
fn time(command: &mut Command) -> Result<f64, Failure> {
    let before = Instant::now();
    let status = command.status();
    let took = before.elapsed();
    match status {
        Ok(status) if status.success() => Ok(took.as_secs_f64() * 1e3),
        Ok(status) => Err(failed(command, &io::Error::other(status.to_string()))),
        Err(error) => Err(failed(command, &error)),
    }
}

fn failed(command: &Command, why: &io::Error) -> Failure {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    format!("{} {}: {why}", command.get_program().to_string_lossy(), words.join(" ")).into()
}
