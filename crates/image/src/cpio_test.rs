//! An archive is what busybox's own cpio reads from it.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Archive, Node};

fn busybox_cpio(arguments: &[&str], archive: &[u8], folder: &std::path::Path) -> String {
    let mut child = Command::new("busybox")
        .arg("cpio")
        .args(arguments)
        .env("TZ", "UTC")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("busybox is installed");
    child.stdin.take().expect("piped").write_all(archive).expect("cpio reads its input");
    let output = child.wait_with_output().expect("cpio ends");
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("names are text")
}

fn archive() -> Vec<u8> {
    let mut archive = Archive::new();
    archive
        .file("/init", 0o755, b"#!/bin/sh\n")
        .file("etc/deep/odd-size", 0o640, b"12345")
        .file("etc/deep/empty", 0o600, b"")
        .folder("tmp", 0o1777)
        .symlink("bin/sh", "busybox")
        .node("dev/console", 0o600, Node::Character, (5, 1))
        .node("dev/vda", 0o660, Node::Block, (254, 0));
    archive.finish()
}

#[test]
fn every_kind_of_entry_is_listed_with_its_mode_and_size() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let listing = busybox_cpio(&["-itv"], &archive(), folder.path());
    let lines: Vec<Vec<&str>> = listing.lines().map(|line| line.split_whitespace().collect()).collect();
    let found: Vec<(&str, &str, String)> =
        lines.iter().map(|words| (words[0], words[1], words[5..].join(" "))).collect();
    let names: Vec<(&str, &str)> = found.iter().map(|(mode, _, name)| (*mode, name.as_str())).collect();
    assert_eq!(
        names,
        [
            ("-rwxr-xr-x", "init"),
            ("drwxr-xr-x", "etc"),
            ("drwxr-xr-x", "etc/deep"),
            ("-rw-r-----", "etc/deep/odd-size"),
            ("-rw-------", "etc/deep/empty"),
            ("drwxrwxrwt", "tmp"),
            ("drwxr-xr-x", "bin"),
            ("lrwxrwxrwx", "bin/sh -> busybox"),
            ("drwxr-xr-x", "dev"),
            ("crw-------", "dev/console"),
            ("brw-rw----", "dev/vda"),
        ],
        "{listing}"
    );
    assert!(found.iter().all(|(_, owner, _)| *owner == "0/0"), "{listing}");
    let sizes: Vec<&str> = lines.iter().filter(|words| words[0].starts_with('-')).map(|words| words[2]).collect();
    assert_eq!(sizes, ["10", "5", "0"]);
}

#[test]
fn contents_come_back_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    busybox_cpio(&["-i", "-d", "init", "etc/deep/odd-size", "etc/deep/empty"], &archive(), folder.path());
    let read = |path: &str| std::fs::read(folder.path().join(path)).expect("cpio has written it");
    assert_eq!(read("init"), b"#!/bin/sh\n");
    assert_eq!(read("etc/deep/odd-size"), b"12345");
    assert_eq!(read("etc/deep/empty"), b"");
}

#[test]
fn the_same_entries_give_the_same_bytes() {
    assert_eq!(archive(), archive());
}

#[test]
fn a_folder_is_written_once_and_before_what_is_in_it() {
    let mut archive = Archive::new();
    archive.folder("/a/b", 0o700).file("/a/b/c", 0o644, b"").folder("a/b", 0o755);
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(busybox_cpio(&["-it"], &archive.finish(), folder.path()), "a\na/b\na/b/c\n");
}
