//! The lab itself: commands arrive and come back exactly, exits are counted exactly, and its own failures are told
//! from a command's.

use std::fs;
use std::time::Duration;

use xtask::lab::{Access, EXITS_FILE};
use xtask::{Error, Lab};

#[test]
fn every_exit_of_a_known_guest_is_counted_once() {
    let outcome = Lab::command(["count-exits", "-v", "known-exits", "300", "200", "100"])
        .program(env!("CARGO_BIN_EXE_known-exits"))
        .fetch(EXITS_FILE)
        .run()
        .expect("the lab runs");
    assert_eq!(outcome.status, 0, "{}", outcome.text());
    assert!(outcome.text().starts_with("came up: 300 HLT, 200 OUT\n"), "{}", outcome.text());

    let exits = outcome.exits().expect("count-exits wrote its file");
    assert_eq!(exits.count("HLT"), 300, "{exits}");
    assert_eq!(exits.count("IOIO"), 201, "one more says the end\n{exits}");
    assert_eq!(exits.count("CPUID"), 100, "{exits}");
    assert!(exits.total() >= 601, "{exits}");

    let text = outcome.text();
    let ports = text.split("== ").find(|section| section.starts_with("kvm_pio")).expect("-v tells ports");
    assert!(
        ports.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == ["200", "port=10", "rw=1"]),
        "{text}"
    );
}

#[test]
fn words_output_and_status_come_through_exactly() {
    let outcome = Lab::command([
        "sh",
        "-c",
        "printf '%s|' \"$@\"; echo >&2 done; exit 42",
        "sh",
        "it's",
        "two  words",
        "",
        "$HOME\n*",
    ])
    .run()
    .expect("the lab runs");
    assert_eq!(outcome.text(), "it's|two  words||$HOME\n*|done\n");
    assert_eq!(outcome.status, 42);
}

#[test]
fn disks_and_files_come_back_as_the_lab_wrote_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("disk.img");
    fs::write(&image, vec![0; 1 << 20]).expect("an empty disk");
    let script = "
        printf hello | dd of=/dev/disk/mine seek=4096 bs=1 conv=notrunc 2>/dev/null
        head -c 3000000 /dev/urandom >/tmp/random
        md5sum </tmp/random
        (sleep 100; echo too late) &
        echo to the terminal >/dev/stderr";
    let outcome = Lab::script(script)
        .disk("mine", &image, Access::ReadWrite)
        .fetch("/tmp/random")
        .fetch("/tmp/no such file")
        .run()
        .expect("the lab runs");
    let written = fs::read(&image).expect("the disk is still there");
    assert_eq!(written.get(4096..4101), Some(&b"hello"[..]));
    assert!(outcome.text().ends_with("  -\nto the terminal\n"), "{}", outcome.text());

    let random = folder.path().join("random");
    fs::write(&random, outcome.fetched("/tmp/random").expect("it was fetched")).expect("written");
    let sum = std::process::Command::new("md5sum").arg(&random).output().expect("md5sum runs");
    assert_eq!(sum.stdout.get(..32), outcome.output.get(..32), "the same random bytes in the lab and here");
    outcome.fetched("/tmp/no such file").expect_err("a missing file is no empty file");
}

#[test]
fn a_panic_of_the_labs_kernel_is_not_a_status() {
    let error = Lab::script("echo c >/proc/sysrq-trigger").run().expect_err("the kernel panics");
    let Error::LabDied { console, .. } = &error else { panic!("{error}") };
    assert!(console.contains("Kernel panic"), "{error}");
}

#[test]
fn a_command_that_does_not_end_is_a_timeout() {
    let error = Lab::script("sleep 1000").timeout(Duration::from_secs(1)).run().expect_err("it does not end");
    assert!(matches!(error, Error::LabTimeout { seconds: 1, .. }), "{error}");
}

#[test]
fn an_unknown_module_is_refused_before_anything_starts() {
    let error = Lab::script("true").module("flux_capacitor").run().expect_err("there is no such module");
    assert!(matches!(error, Error::Modules(_)), "{error}");
}
