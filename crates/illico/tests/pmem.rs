//! A `--pmem` file that is cut short while its machine runs: the machine ends with a status and a line.

mod illico;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use illico::illico;
use rustix::process::{Pid, Signal, kill_process};

/// The probe with a file of 4 MiB.
fn machine(file: &File, folder: &std::path::Path) -> Child {
    file.set_len(4 << 20).unwrap();
    let mut command = illico(folder);
    command.args(["boot", "--kernel", ":probe:", "--memory", "64M", "--cmdline", "probe=echo,pmem"]);
    command.args(["--pmem", "path=file"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Does something to a machine that runs: its status and what the host said.
fn end(act: impl FnOnce(&Child)) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("file")).unwrap();
    let mut machine = machine(&file, folder.path());
    let mut keyboard = machine.stdin.take().unwrap();
    let mut screen = BufReader::new(machine.stdout.take().unwrap()).lines().map(Result::unwrap);
    keyboard.write_all(b"word\n").unwrap();
    assert!(screen.any(|line| line.contains("word")));
    act(&machine);
    let output = machine.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_bus_error_of_the_monitor_ends_it_with_a_line() {
    let (status, host) = end(|machine| kill_process(Pid::from_child(machine), Signal::BUS).unwrap());
    assert_eq!(status, Some(104), "{host}");
    assert!(host.starts_with("illico: a file behind guest memory was cut short"), "{host}");
}
