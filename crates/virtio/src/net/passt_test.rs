use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A program that stands in for passt.
fn program(folder: &tempfile::TempDir, script: &str) -> PathBuf {
    let path = folder.path().join("passt");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn forwards(texts: &[&str]) -> Vec<Forward> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn refusal(script: &str, ports: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    match start_program(&program(&folder, script), &forwards(ports), false) {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn it_is_waited_for_and_its_stream_is_the_cards() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo 'first words' >&2; echo $$; read -r line; echo \"$line back\" >&0; echo 'last words' >&2";
    let (mut ours, mut passt) = start_program(&program(&folder, script), &[], false).unwrap();
    ours.write_all(b"there and\n").unwrap();
    let mut answer = String::new();
    ours.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "there and back\n");
    assert_eq!(passt.obituary(), "passt has ended: last words");
}

#[test]
fn a_guest_that_says_nothing_is_announced_by_its_address() {
    let mut said = Vec::new();
    announce(&mut said, "52:54:00:12:34:56".parse().unwrap()).unwrap();
    let expected = [
        "0000002a",
        "ffffffffffff 525400123456 0806",
        "0001 0800 06 04 0001",
        "525400123456 0a00020f",
        "000000000000 0a00020f",
    ];
    let said: String = said.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said, expected.concat().replace(' ', ""));
}

#[test]
fn what_it_refuses_is_told_in_our_words() {
    let in_use = "echo 'Failed to send 47 bytes to syslog' >&2; echo \"Failed to bind any port for '-t 81:80', exiting\" >&2; exit 1";
    assert!(refusal(in_use, &["8080:80", "81:80"]).starts_with("port 81 of the host cannot be had"));
    let no_route =
        "echo 'No external routable interface for IPv4' >&2; echo 'Failed to send 3 bytes to syslog' >&2; exit 1";
    assert!(refusal(no_route, &[]).contains("no default route"));
    let said = "echo \"Don't run as root. Changing to nobody...\" >&2; echo 'Invalid something' >&2; exit 1";
    assert_eq!(refusal(said, &[]), "passt ended at once: Invalid something");
    assert!(refusal("exit 1", &[]).ends_with("it did not say why"));
}

#[test]
fn addresses_and_ports_are_given() {
    let words = arguments(&forwards(&["8080:80", "127.0.0.1:5353:53/udp"]), false).join(" ");
    for part in [
        "-a 10.0.2.15 -n 24 -g 10.0.2.2",
        "--dns-forward 10.0.2.3",
        "--no-map-gw",
        "-t 8080:80",
        "-u 127.0.0.1/5353:53",
    ] {
        assert!(words.contains(part), "{words}");
    }
    assert!(!arguments(&[], true).contains(&"--no-map-gw".to_owned()));
}

#[test]
fn when_it_is_dropped_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (_ours, passt) = start_program(&program(&folder, "echo $$; exec sleep 1000"), &[], false).unwrap();
    let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", passt.process.as_raw_fd())).unwrap();
    let number = about.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap().trim();
    let proc = PathBuf::from(format!("/proc/{number}"));
    assert!(proc.exists());
    drop(passt);
    assert!(!proc.exists());
}
