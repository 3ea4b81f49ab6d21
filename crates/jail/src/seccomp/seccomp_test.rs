use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::*;
use crate::testkit::{Ended, in_child};

/// What code on a thread that was taken over would try first.
const ATTEMPTS: [(&str, fn()); 12] = [
    ("open", || drop(File::open("/etc/passwd"))),
    ("connect", || drop(TcpStream::connect("127.0.0.1:1"))),
    ("unix", || drop(UnixStream::connect("/nonexistent"))),
    ("kill", || call(libc::SYS_kill, [1, 0, 0])),
    ("signal", || call(libc::SYS_tgkill, [1, 1, 0])),
    ("fork", || call(libc::SYS_fork, [0; 3])),
    ("exec", || drop(Command::new("/bin/true").status())),
    ("kvm", || drop(File::open("/dev/kvm"))),
    ("tap", || drop(File::open("/dev/net/tun"))),
    ("setuid", || call(libc::SYS_setuid, [0; 3])),
    ("io_uring", || call(libc::SYS_io_uring_setup, [1, 0, 0])),
    ("executable", || call(libc::SYS_mprotect, [0, 0, i64::from(libc::PROT_EXEC)])),
];

/// Makes a system call whose result does not matter.
fn call(number: i64, [first, second, third]: [i64; 3]) {
    // SAFETY: no call of the list writes to memory that it is given: each gets plain numbers.
    unsafe { libc::syscall(number, first, second, third) };
}

/// Which attempt a child is to make.
const ATTEMPT: &str = "ILLICO_JAIL_ATTEMPT";

/// One role's thread makes one attempt after the other, each in a process of its own. Gives those that were made.
fn succeed(test: &str, role: Role) -> BTreeSet<&'static str> {
    if let Ok(name) = std::env::var(ATTEMPT) {
        let attempt = ATTEMPTS.into_iter().find(|attempt| attempt.0 == name).unwrap().1;
        in_child(test, || {
            prepare(Mode::End).unwrap();
            enter(role, Mode::End).unwrap();
            attempt();
            // SAFETY: ends the process at once: what the test's runner does at its end is not in the table.
            unsafe { libc::_exit(0) };
        });
    }
    let made = ATTEMPTS.into_iter().filter(|(name, _)| {
        // SAFETY: no other thread reads the environment: nextest runs each test in a process of its own.
        unsafe { std::env::set_var(ATTEMPT, name) };
        let Ended { status, said } = in_child(test, || ());
        assert!(status == 0 || status == STATUS, "{role}, {name}: {status}: {said}");
        // The C library blocks signals around a fork of its own: the kernel then ends the process without a line.
        if status == STATUS && *name != "exec" {
            let start = format!("illico: jail: a thread of the role {role} made the system call ");
            assert!(said.contains(&start), "{said}");
        }
        status == 0
    });
    let made = made.map(|(name, _)| name).collect();
    // SAFETY: as above.
    unsafe { std::env::remove_var(ATTEMPT) };
    made
}

#[test]
fn a_vcpu_thread_can_do_none_of_the_attempts() {
    assert_eq!(succeed("seccomp::tests::a_vcpu_thread_can_do_none_of_the_attempts", Role::Vcpu), [].into());
}

#[test]
fn a_queue_thread_can_do_none_of_the_attempts() {
    assert_eq!(succeed("seccomp::tests::a_queue_thread_can_do_none_of_the_attempts", Role::Queue), [].into());
}

#[test]
fn a_thread_of_devices_can_only_connect_to_unix_sockets() {
    let test = "seccomp::tests::a_thread_of_devices_can_only_connect_to_unix_sockets";
    assert_eq!(succeed(test, Role::Devices), ["unix"].into());
}

#[test]
fn a_thread_of_a_share_can_only_open_files() {
    let test = "seccomp::tests::a_thread_of_a_share_can_only_open_files";
    assert_eq!(succeed(test, Role::Files), ["open", "kvm", "tap"].into());
}

#[test]
fn a_warning_names_the_call_and_lets_it_be_made() {
    let ended = in_child("seccomp::tests::a_warning_names_the_call_and_lets_it_be_made", || {
        prepare(Mode::Warn).unwrap();
        enter(Role::Vcpu, Mode::Warn).unwrap();
        let missing = File::open("/nonexistent").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(File::open("/etc/passwd").is_ok());
        io::stderr().write_all(b"still here\n").unwrap();
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(0) };
    });
    assert_eq!(ended.status, 0, "{}", ended.said);
    let expected = "a thread of the role vcpu made the system call 257 (openat)";
    assert_eq!(ended.said.matches(expected).count(), 2, "{}", ended.said);
    assert!(ended.said.contains("still here"));
}

#[test]
fn no_role_may_start_programs_or_set_up_rings() {
    for role in Role::ALL {
        for never in [libc::SYS_execve, libc::SYS_execveat, libc::SYS_fork, libc::SYS_vfork, libc::SYS_io_uring_setup] {
            assert!(allowed(role).all(|allowed| allowed.number != never), "{role}");
        }
    }
}

#[test]
fn each_allowed_call_is_in_a_role_once_and_says_why() {
    for role in Role::ALL {
        let mut seen = BTreeSet::new();
        for Allowed { name, why, number, .. } in allowed(role) {
            assert!(seen.insert(number), "{role} has {name} twice");
            assert!(why.len() > 3, "{role}: {name}");
        }
    }
}

/// Rows of the table in the threat model, with a role in the first column and a number of calls in the third.
#[test]
fn the_threat_model_has_the_number_of_calls_of_each_role() {
    let document = include_str!("../../../../docs/threat-model.md");
    for role in Role::ALL {
        let row = document.lines().find(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            cells.len() == 6 && cells.get(1) == Some(&role.name())
        });
        let row = row.unwrap_or_else(|| panic!("no row for {role}"));
        let number: usize = row.split('|').nth(3).unwrap().trim().parse().unwrap();
        // The check of a debug build is in no release.
        let calls = allowed(role).filter(|call| !call.why.starts_with("checks of a debug build"));
        assert_eq!(calls.count(), number, "{role}");
    }
}
