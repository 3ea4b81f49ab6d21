//! `--trace-queue` and `--timeline` with the probe on this host's /dev/kvm.

mod illico;

use std::fs;
use std::path::Path;
use std::process::Command;

use illico::illico;
use serde_json::Value;

fn boot(folder: &Path, experiments: &str, arguments: &[&str]) -> Command {
    let mut command = illico(folder);
    let words = format!("probe={experiments}");
    command.args(["boot", "--kernel", ":probe:", "--memory", "64M", "--cmdline", &words]).args(arguments);
    command
}

/// Runs it; what the host said on standard error.
fn host(folder: &Path, experiments: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = boot(folder, experiments, arguments).output().expect("illico runs");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

fn folder_with_disk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("image"), vec![0x5a; 16 << 20]).expect("an image");
    folder
}

#[test]
fn requests_of_a_disk_are_shown_as_they_lie_in_memory() {
    let folder = folder_with_disk();
    let disk = ["--disk", "path=image", "--trace-queue", "disk0:0", "--trace-chains", "3"];
    let (status, shown) = host(folder.path(), "blk", &disk);
    assert_eq!(status, Some(0), "{shown}");
    for word in [
        "disk0:0 chain 1: available ring[0] = ",
        "disk0:0 chain 2: used ring[1] = { id ",
        ", len 16, flags 0x",
        ", len 1, flags 0x2 WRITE",
        "NEXT|WRITE, next ",
        "disk0:0: 3 chains were shown (--trace-chains N shows more)",
    ] {
        assert!(shown.contains(word), "{word} in\n{shown}");
    }
    assert!(!shown.contains("chain 4"), "{shown}");
}

#[test]
fn nothing_is_shown_of_a_queue_that_was_not_named() {
    let folder = folder_with_disk();
    let (status, shown) = host(folder.path(), "blk", &["--disk", "path=image", "--trace-queue", "entropy"]);
    assert_eq!((status, shown.as_str()), (Some(0), ""));
}

#[test]
fn what_cannot_be_looked_at_is_one_line_before_the_guest_runs() {
    let folder = folder_with_disk();
    for (arguments, words) in [
        (&["--trace-queue", "disk9"][..], "there is no device \"disk9\"; this machine has console, entropy"),
        (&["--trace-queue", "console:7"], "console has no queue 7; they are 0 to 1"),
        (&["--trace-queue", "console:x"], "\"x\" is not the number of a queue"),
        (&["--trace-chains", "5"], "--trace-queue"),
        (&["--timeline", "boot.png"], "boot.png: the name must end in .svg, .html or .json"),
        (&["--timeline", "boot"], "the name must end in .svg, .html or .json"),
        (&["--timeline", "nowhere/boot.svg"], "--timeline: cannot create nowhere/boot.svg"),
        (&["--timeline-initcalls"], "add --timeline FILE or --why-slow"),
    ] {
        let output = boot(folder.path(), "hello", arguments).output().expect("illico runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(words), "{words} in {said}");
        assert!(output.stdout.is_empty(), "the guest ran");
    }
}

#[test]
fn a_guest_without_a_log_has_the_monitors_timeline() {
    let folder = folder_with_disk();
    for file in ["boot.json", "boot.svg", "boot.html"] {
        let (status, said) = host(folder.path(), "hello", &["--timeline", file]);
        assert_eq!((status, said.as_str()), (Some(0), ""), "{file}");
    }
    let text = |file: &str| fs::read_to_string(folder.path().join(file)).expect(file);
    assert!(text("boot.svg").starts_with("<svg "));
    assert!(text("boot.html").starts_with("<!doctype html>"));
    let story: Value = serde_json::from_str(&text("boot.json")).expect("JSON");
    assert_eq!((&story["schema"], &story["guest_clock"]), (&Value::from("illico-timeline/1"), &Value::Null));
    assert_eq!(story["accounted"]["until"], "the guest ended");
    let spans = story["spans"].as_array().expect("spans");
    for name in
        ["parse the options", "KVM_CREATE_VM", "KVM_SET_CPUID2", "read the kernel", "exec and loading of the program"]
    {
        assert!(spans.iter().any(|span| span["name"] == name), "{name}");
    }
    let begins: Vec<_> = spans.iter().map(|span| span["begin_ns"].as_u64().expect("a number")).collect();
    assert!(begins.is_sorted(), "{begins:?}");
    let marks: Vec<_> = story["marks"].as_array().expect("marks").iter().map(|mark| &mark["name"]).collect();
    assert_eq!(marks, ["first KVM_RUN", "the guest ended"]);
}

#[test]
fn the_largest_items_have_a_figure_and_a_remedy() {
    let folder = folder_with_disk();
    let (status, said) = host(folder.path(), "hello", &["--why-slow"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("From exec until the guest ended: "), "{said}");
    assert!(said.contains("1. "), "{said}");
    assert!(said.lines().filter(|line| line.starts_with("   ")).count() <= 5, "{said}");
}
