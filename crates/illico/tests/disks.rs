//! The stores on disks that are full, and in a home that cannot be written to.
//!
//! Each test runs a script in a mount namespace of its own (`unshare -rm`), where a small tmpfs is the disk.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A script with a tmpfs of 1 MiB at `disk` as its home, and `illico` in its path.
fn on_a_disk(script: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_illico")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let script = format!("set -e\nmount -t tmpfs -o size=1M disk disk\nexport HOME=$PWD/disk\n{script}");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).current_dir(folder.path()).env("PATH", path);
    for variable in ["XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Two images with names, one without, and what an interrupted import left; then not a byte is free.
const FULL: &str = "
for n in 1 2 3; do mkdir root$n; head -c 100000 /dev/urandom >root$n/file; done
illico import -q root1 one
illico import -q root2 two
illico import -q root3 two
head -c 20000 /dev/zero >disk/.local/share/illico/images/import-1-1.part
cat /dev/zero >disk/fill 2>/dev/null || true
test $(df --output=avail disk | tail -1) = 0
";

#[test]
fn rmi_frees_a_disk_that_is_full() {
    let output = on_a_disk(&format!(
        "{FULL}illico rmi one >removed\ntest $(df --output=avail disk | tail -1) -ge 90\nillico images --quiet | wc -l"
    ));
    let (out, err) = said(&output);
    assert!(output.status.success(), "{out}{err}");
    assert_eq!((out.as_str(), err.as_str()), ("2\n", ""));
}

#[test]
fn prune_frees_a_disk_that_is_full() {
    let output = on_a_disk(&format!(
        "{FULL}illico prune >removed\ntest $(df --output=avail disk | tail -1) -ge 110\nillico images --quiet | wc -l"
    ));
    let (out, err) = said(&output);
    assert!(output.status.success(), "{out}{err}");
    assert_eq!((out.as_str(), err.as_str()), ("2\n", ""));
}

#[test]
fn an_import_that_finds_no_room_says_so_and_leaves_nothing() {
    let output = on_a_disk(&format!(
        "{FULL}find disk -not -name fill -type f | sort >before\nillico import -q root1 new || echo status $?\n\
         find disk -not -name fill -type f | sort | cmp before - && echo same\nillico images --quiet | wc -l"
    ));
    let (out, err) = said(&output);
    assert_eq!(out, "status 125\nsame\n3\n", "{err}");
    assert!(err.contains("No space left on device") && err.lines().count() == 1, "{err}");
}

#[test]
fn a_home_that_cannot_be_written_to_lists_nothing() {
    let lists = [
        "images",
        "images --json",
        "ps --all",
        "ps --json",
        "kernel ls --quiet",
        "stats --prometheus",
        "top --once --interval 1",
    ];
    let lists = lists.map(|verb| format!("illico {verb} >out || echo '{verb}': $?\ncat out >>all\n")).concat();
    let output = on_a_disk(&format!("mount -o remount,ro disk\n{lists}"));
    let (out, err) = said(&output);
    assert_eq!((out.as_str(), err.as_str()), ("", ""), "every list ends with status 0");
}

#[test]
fn what_writes_to_a_home_that_cannot_be_written_to_says_which_folder() {
    let output = on_a_disk("mount -o remount,ro disk\nmkdir root\nillico import root name || echo status $?");
    let (out, err) = said(&output);
    assert_eq!(out, "status 125\n");
    assert!(err.contains("illico/images") && err.lines().count() == 1, "{err}");
}
