//! The probe in real machines on this host's /dev/kvm: how a machine ends, where its exits went, and that
//! a hostile guest harms its devices only. Without a usable /dev/kvm these tests fail and say so.

mod illico;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use illico::illico;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A machine with the probe that runs these experiments, and whatever else the arguments say.
fn machine(folder: &Path, experiments: &str, arguments: &[&str]) -> Command {
    let mut command = illico(folder);
    let words = format!("probe={experiments}");
    command.args(["boot", "--kernel", ":probe:", "--memory", "64M", "--cmdline", &words]).args(arguments);
    command
}

/// Runs it, and gives its status, what the guest said, and what the host said.
fn run(experiments: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    told(machine(folder.path(), experiments, arguments).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("no signal ends it"), text(output.stdout), text(output.stderr))
}

/// Runs it, which goes well, and gives the report of `--exits-json`.
fn report(experiments: &str, arguments: &[&str]) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["--exits-json", "exits.json"], arguments].concat();
    let (status, said, host) = told(machine(folder.path(), experiments, &arguments).output().unwrap());
    assert_eq!(status, 0, "{said}{host}");
    assert!(said.contains(" failed=0\n"), "{said}");
    let file = File::open(folder.path().join("exits.json")).unwrap();
    (serde_json::from_reader(file).unwrap(), said)
}

/// Exits handled by the monitor, by device and access.
fn exits(report: &Value, party: &str, access: &str) -> u64 {
    let rows = report["monitor"].as_array().unwrap();
    let row = rows.iter().find(|row| row["party"] == party && row["access"] == access);
    row.map_or(0, |row| row["exits"].as_u64().unwrap())
}

fn queue<'a>(report: &'a Value, device: &str, queue: usize) -> &'a Value {
    let devices = report["devices"].as_array().unwrap();
    let device = devices.iter().find(|row| row["name"] == device).expect("the device");
    &device["queues"][queue]
}

#[test]
fn each_way_to_end_has_its_status() {
    for (experiment, status, host) in
        [("off", 0, ""), ("reset", 0, ""), ("panic", 101, "illico: the guest's kernel panicked\n")]
    {
        let (ended, _, said) = run(experiment, &[]);
        assert_eq!((ended, said.as_str()), (status, host), "{experiment}");
    }
}

#[test]
fn a_triple_fault_is_told_with_the_registers() {
    let (status, said, host) = run("crash", &[]);
    assert_eq!(status, 102);
    assert_eq!(said, "probe: crash\n");
    assert!(host.starts_with("illico: vCPU 0 triple-faulted"), "{host}");
    for register in ["rip ", "rsp ", "cr0 ", "cr2 ", "cr3 ", "efer ", "idt base 0 limit 0"] {
        assert!(host.contains(register), "{register} in:\n{host}");
    }
}

/// The probe ignores the button: after the first signal it still answers.
#[test]
fn the_first_sigterm_presses_the_button_and_the_second_one_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = machine(folder.path(), "hello,echo", &[]);
    let mut machine = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let process = Pid::from_child(&machine);
    let mut keyboard = machine.stdin.take().unwrap();
    let mut screen = BufReader::new(machine.stdout.take().unwrap()).lines().map(Result::unwrap);
    for word in ["before", "after"] {
        keyboard.write_all(format!("{word}\n").as_bytes()).unwrap();
        assert!(screen.any(|line| line.contains(word)), "no answer {word} the first signal");
        kill_process(process, Signal::TERM).unwrap();
    }
    let (status, _, host) = told(machine.wait_with_output().unwrap());
    assert_eq!((status, host.as_str()), (143, "illico: stopped\n"));
}

/// The vCPU sits in a write to a full pipe, which holds up neither signals nor the end.
#[test]
fn two_sigterms_end_a_guest_whose_uart_fills_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = machine(folder.path(), "uart=65536", &["--console", "uart"]);
    // It holds less than the experiment writes.
    let (screen, output) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&output, 4096).unwrap();
    let machine = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let process = Pid::from_child(&machine);
    while rustix::io::ioctl_fionread(&screen).unwrap() < 4096 {
        sleep(Duration::from_millis(10));
    }
    kill_process(process, Signal::TERM).unwrap();
    sleep(Duration::from_millis(200));
    kill_process(process, Signal::TERM).unwrap();
    let output = machine.wait_with_output().unwrap();
    let host = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{host}");
    // The vCPU does not wait for the reader, so nothing is left behind.
    assert_eq!(host, "illico: stopped\n");
}

/// However the machine ends; only a kill leaves it, and then the next one takes its place.
#[test]
fn the_socket_of_vsock_is_there_while_the_machine_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vm");
    for (signals, status) in [(&[Signal::KILL][..], None), (&[Signal::TERM, Signal::TERM], Some(143)), (&[], Some(0))] {
        let mut command = machine(folder.path(), "echo", &["--vsock", "path=vm"]);
        let mut machine = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut keyboard = machine.stdin.take().unwrap();
        let mut screen = BufReader::new(machine.stdout.take().unwrap()).lines().map(Result::unwrap);
        for signal in signals {
            keyboard.write_all(b"word\n").unwrap();
            assert!(screen.any(|line| line.contains("word")));
            UnixStream::connect(&socket).unwrap();
            kill_process(Pid::from_child(&machine), *signal).unwrap();
        }
        if signals.is_empty() {
            keyboard.write_all(b"quit\n").unwrap();
        }
        let ended = machine.wait().unwrap().code();
        assert_eq!((ended, socket.exists()), (status, status.is_none()));
    }
}

/// What docs/exits.md promises, in a report with a disk that was read.
#[test]
fn the_report_has_the_documented_form() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    File::create(&disk).unwrap().set_len(1 << 20).unwrap();
    let disk = format!("path={}", disk.display());
    let (report, _) = report("blk", &["--disk", &disk]);
    assert_eq!(report["schema"], "illico-exits/2");
    assert_eq!(report["vcpus"].as_array().unwrap().len(), 1);
    let vcpu = &report["vcpus"][0];
    assert_eq!(vcpu["vcpu"], 0);
    let mut sum = 0;
    for row in vcpu["reasons"].as_array().unwrap() {
        assert!(row["reason"].is_string(), "{row}");
        assert!(row["kernel"].is_u64() || row["kernel"].is_null(), "{row}");
        sum += row["monitor"].as_u64().unwrap() + row["kernel"].as_u64().unwrap_or(0);
    }
    if let Some(exits) = vcpu["exits"].as_u64() {
        assert_eq!(sum, exits, "reasons add up to all exits: {vcpu}");
    }
    for row in report["monitor"].as_array().unwrap() {
        assert!(row["party"].is_string() && row["access"].is_string(), "{row}");
        assert!(row["exits"].as_u64().unwrap() > 0, "{row}");
    }
    let kinds: Vec<_> = report["devices"].as_array().unwrap().iter().map(|device| &device["kind"]).collect();
    assert_eq!(kinds, ["console", "block", "entropy"]);
    for device in report["devices"].as_array().unwrap() {
        for (number, queue) in device["queues"].as_array().unwrap().iter().enumerate() {
            assert_eq!(queue["queue"], number);
            for key in ["kicks", "interrupts", "suppressed", "requests", "bytes_from_guest", "bytes_to_guest"] {
                assert!(queue[key].is_u64(), "{key} of {queue}");
            }
        }
    }
    let requests = queue(&report, "disk0", 0);
    assert!(requests["requests"].as_u64().unwrap() >= 256, "{requests}");
    assert!(requests["bytes_to_guest"].as_u64().unwrap() >= 256 * 512, "{requests}");
}

#[test]
fn the_table_for_people_is_on_standard_error() {
    let (status, said, host) = run("exits=100", &["--exits"]);
    assert_eq!(status, 0);
    assert!(said.lines().all(|line| line.starts_with("probe: ")), "{said}");
    for words in ["vCPU 0: ", "handled by", "nobody", "port-write"] {
        assert!(host.contains(words), "{words} in:\n{host}");
    }
    let nobody = host.lines().find(|line| line.starts_with("nobody")).unwrap();
    assert_eq!(nobody.split_ascii_whitespace().collect::<Vec<_>>(), ["nobody", "port-write", "100"]);
}

/// 64 KiB, in 16 chains of 4 KiB.
#[test]
fn a_virtio_console_takes_64_kib_in_fewer_than_100_exits() {
    let bytes = |report: &Value| queue(report, "console", 1)["bytes_from_guest"].as_u64().unwrap();
    for transport in ["pci", "mmio"] {
        let announced: &[&str] = if transport == "mmio" { &["--announce", "cmdline"] } else { &[] };
        let arguments = [&["--transport", transport], announced].concat();
        let (without, _) = report("console=0", &arguments);
        let (with, said) = report("console=65536", &arguments);
        assert!(said.len() > 65_536, "{} bytes came out", said.len());
        assert!(bytes(&with) - bytes(&without) >= 65_536);
        // All that a console causes: kicks in the kernel, and whatever else of it came up.
        let caused = |report: &Value| {
            let kicks: u64 = (0..2).map(|n| queue(report, "console", n)["kicks"].as_u64().unwrap()).sum();
            kicks + exits(report, "console", "mmio-read") + exits(report, "console", "mmio-write")
        };
        let exits = caused(&with) - caused(&without);
        assert!(exits < 100, "{exits} exits over {transport}");
    }
}

#[test]
fn a_uart_takes_64_kib_in_65536_exits() {
    let (report, said) = report("uart=65536 probe.lsr=off", &["--console", "uart"]);
    assert!(said.len() > 65_536);
    let exits = exits(&report, "uart", "port-write");
    // The report itself is a hundred characters.
    assert!((65_536..66_560).contains(&exits), "{exits}");
}

#[test]
fn a_clock_is_there_only_if_it_is_asked_for() {
    let clock = |arguments: &[&str]| {
        let (report, _) = report("exits=10 probe.port=0x70", arguments);
        (exits(&report, "rtc", "port-write"), exits(&report, "nobody", "port-write"))
    };
    assert_eq!(clock(&[]), (0, 10));
    assert_eq!(clock(&["--rtc"]), (10, 0));
}

/// Makes a tap in a network of its own and becomes illico there.
const WITH_A_TAP: &str = "ip tuntap add dev tap0 mode tap && ip link set tap0 up && exec \"$@\"";

/// The hostile guest on a machine with a device of each kind.
fn attack(transport: &str, announce: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("disk.img", 1 << 20), ("pmem.img", 2 << 20)] {
        File::create(folder.path().join(name)).unwrap().set_len(size).unwrap();
    }
    let arguments = ["--transport", transport, "--announce", announce, "--console", "uart", "--net", "tap=tap0"];
    let arguments = [&arguments[..], &["--disk", "path=disk.img", "--pmem", "path=pmem.img"]].concat();
    let machine = machine(folder.path(), "wild", &arguments);
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", WITH_A_TAP, "sh"])
        .arg(machine.get_program())
        .args(machine.get_args())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (status, said, host) = told(output);
    assert_eq!(status, 0, "this test makes a network namespace and a tap, as root: {said}{host}");
    assert!(said.contains("probe: end experiments=1 failed=0\n"), "{said}");
    assert!(!said.contains("error=") && !said.contains("reset=0") && !said.contains("alive=0"), "{said}");
    for kind in ["blk", "pmem", "net", "entropy"] {
        assert!(said.contains(&format!("probe: wild device={kind} alive=1\n")), "{kind}:\n{said}");
        let attacks = said.lines().filter(|line| line.starts_with(&format!("probe: wild device={kind} attack=")));
        assert!(attacks.count() >= 40, "{kind}:\n{said}");
    }
    // Four devices and eight lines of a kind, whatever the guest did; two kinds of lines.
    assert!(host.lines().count() <= 4 * 8 * 2, "{host}");
    assert!(host.lines().all(|line| line.starts_with("illico: ")), "{host}");
}

#[test]
fn a_hostile_guest_harms_its_own_devices_only_over_pci() {
    attack("pci", "acpi");
}

#[test]
fn a_hostile_guest_harms_its_own_devices_only_over_mmio() {
    attack("mmio", "cmdline");
}
