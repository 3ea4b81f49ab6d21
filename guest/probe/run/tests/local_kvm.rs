//! The probe on this host's own KVM: built as `illico` builds it, run by the least of a monitor. Needs /dev/kvm; without
//! it these tests fail and say so.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use illico_probe_run::machine::{End, run};

const MEMORY: usize = 16 << 20;

/// The two kernels, built once with every variable removed that would make cargo build something else.
fn kernels() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kernels");
        let mut cargo = Command::new(env!("CARGO"));
        for variable in [
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            cargo.env_remove(variable);
        }
        let built = cargo
            .args(["build", "--release", "--locked", "--quiet", "--package", "illico-probe", "--manifest-path"])
            .arg(format!("{workspace}/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        assert!(built.is_ok_and(|status| status.success()), "the probe does not build");
        target.join("release")
    })
}

fn kernel(name: &str) -> Vec<u8> {
    std::fs::read(kernels().join(name)).expect("the kernel that was just built")
}

/// Runs the probe and returns its end and what it said.
fn probe(command_line: &str) -> (End, String) {
    let mut said = Vec::new();
    let ended = run(&kernel("probe"), command_line, MEMORY, &mut said).expect("a usable /dev/kvm");
    (ended, String::from_utf8(said).expect("the probe writes ASCII"))
}

/// The value of `key=` in the line of `experiment`.
fn value(said: &str, experiment: &str, key: &str) -> u64 {
    let line = said.lines().find(|line| line.starts_with(&format!("probe: {experiment} ")));
    let word = line.and_then(|line| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('=')));
    let word = word.unwrap_or_else(|| panic!("no {experiment} {key}= in:\n{said}"));
    let parsed = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("{key}={word} is no number"))
}

#[test]
fn ten_instructions_power_off() {
    assert_eq!(run(&kernel("ten"), "", MEMORY, &mut Vec::new()).expect("a usable /dev/kvm"), End::Off);
}

#[test]
fn without_a_console_it_works_in_silence() {
    assert_eq!(probe("probe=hello"), (End::Off, String::new()));
}

#[test]
fn it_computes_what_the_host_computes() {
    let (ended, said) = probe("console=uart probe=compute=100000");
    assert_eq!(ended, End::Off);
    assert_eq!(value(&said, "compute", "result"), illico_probe_compute::compute(100_000));
}

#[test]
fn both_rings_are_timed() {
    let (_, said) = probe("console=uart probe=ring0");
    assert!(value(&said, "ring0", "ring0_cycles") > 0);
    assert!(value(&said, "ring0", "ring3_cycles") > 0);
}

#[test]
fn every_interrupt_that_it_sends_itself_arrives() {
    let (_, said) = probe("console=uart probe=interrupt=50");
    assert_eq!(value(&said, "interrupt", "received"), 50);
    assert_eq!(value(&said, "interrupt", "timers"), 50);
}

#[test]
fn every_way_to_end_is_told_apart() {
    for (experiment, end) in
        [("off", End::Off), ("reset", End::Reset), ("panic", End::Panicked), ("crash", End::TripleFault)]
    {
        assert_eq!(probe(&format!("probe={experiment}")).0, end, "{experiment}");
    }
}

#[test]
fn an_unknown_experiment_fails_and_the_next_one_runs() {
    let (ended, said) = probe("console=uart quiet probe=nonsense,hello");
    assert_eq!(ended, End::Off);
    assert!(said.contains("probe: nonsense error=unknown-experiment\n"), "{said}");
    assert_eq!((value(&said, "end", "experiments"), value(&said, "end", "failed")), (2, 1));
}

#[test]
fn as_many_bytes_as_asked_for_go_through_the_uart() {
    let (_, said) = probe("console=uart probe=uart=300 probe.lsr=off");
    let (dots, _) = said.split_once("probe:").expect("a report");
    assert_eq!(dots.len(), 300);
}

#[test]
fn what_no_device_answers_harms_nobody() {
    let (ended, said) = probe("console=uart probe=wild=platform");
    assert_eq!(ended, End::Off);
    for attack in ["holes", "ports", "strings", "almost-off", "ioapic", "configuration"] {
        assert!(said.contains(&format!("probe: wild platform={attack} done=1\n")), "{attack} in:\n{said}");
    }
}

#[test]
fn a_missing_device_is_a_failure_with_a_reason() {
    for experiment in ["blk", "net", "entropy", "pmem", "kicks"] {
        let (_, said) = probe(&format!("console=uart probe={experiment}"));
        assert!(said.contains(&format!("probe: {experiment} error=no-such-device\n")), "{said}");
    }
}
