//! `illico run` with a kernel that is not Linux, on this host's /dev/kvm: it is booted with its disk, as `illico boot` does.
//! The probe stands for such a kernel.

mod illico;

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;

use illico::{PROBE, illico};
use serde_json::Value;

fn run(folder: &Path, words: &[&str]) -> Output {
    fs::write(folder.join("kernel"), PROBE).unwrap();
    File::create(folder.join("disk.img")).unwrap().set_len(1 << 20).unwrap();
    illico(folder)
        .env("XDG_DATA_HOME", folder)
        .env("XDG_STATE_HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .args(["run", "--kernel", "kernel"])
        .args(words)
        .output()
        .unwrap()
}

#[test]
fn a_kernel_that_is_not_linux_is_booted_with_its_disk() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--memory", "64M", "--name", "other", "--exits-json", "exits.json", "--verbose", "disk.img"];
    let output = run(folder.path(), &words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("end experiments=0 failed=0"), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    let boots = "illico boot --kernel kernel --disk path=disk.img --memory 64M --name other --exits-json exits.json";
    assert_eq!(told, format!("illico: kernel is not Linux, so this is: {boots}\n"));
    let exits: Value = serde_json::from_reader(File::open(folder.path().join("exits.json")).unwrap()).unwrap();
    let devices: Vec<_> = exits["devices"].as_array().unwrap().iter().map(|device| &device["name"]).collect();
    assert!(devices.iter().any(|name| *name == "disk0"), "{devices:?}");
}

#[test]
fn what_such_a_kernel_cannot_do_is_told_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    for (words, why) in [
        (&["--", "true"][..], "it runs no commands; give it a disk"),
        (&["disk.img", "true"], "it runs no commands, only what is on its disk"),
        (&["--rw-cwd", "disk.img"], "--rw-cwd is not for it"),
        (&["debian:12"], "debian:12 must be a disk for it"),
    ] {
        let output = run(folder.path(), words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        assert!(told.starts_with("illico: --kernel: kernel is not Linux: ") && told.contains(why), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
