//! What the start of a machine asks of the host's kernel, as counts: the ten-instruction guest, from exec to the end of
//! the process, on this host's KVM, in a release build.
//!
//! `cargo xtask bench` measures the time, which no test asserts; what it is made of is held here: system calls, threads,
//! and shared libraries, each of which is as dear as a dozen calls (found, mapped in four parts, relocated).

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use xtask::bench::probe_programs;
use xtask::packages;
use xtask::project::{self, Profile};

/// What `strace` saw.
struct Start {
    calls: usize,
    threads: usize,
    libraries: BTreeSet<String>,
    trace: String,
}

impl Start {
    fn traced(options: &[&str]) -> Self {
        packages::require(&[("strace", "strace")]).expect("strace");
        let (_, ten) = probe_programs().expect("the guest builds");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("trace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(&file).arg(project::illico(Profile::Release).expect("illico builds"));
        strace.args(["boot", "--memory", "16M", "--kernel"]).arg(ten).args(options);
        // Cargo's own, in which the loader would look for every library first.
        strace.env_remove("LD_LIBRARY_PATH");
        let status = strace.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("strace starts");
        assert!(status.success(), "{status}");
        Self::read(std::fs::read_to_string(file).expect("the trace"))
    }

    fn read(trace: String) -> Self {
        // A call that another thread's line interrupts has a second line, which says so.
        let calls: Vec<&str> = trace.lines().filter(|line| !line.contains(" resumed>")).collect();
        let opened = calls.iter().filter(|call| call.contains(" openat(") && !call.contains("ENOENT"));
        let paths = opened.filter_map(|call| call.split('"').nth(1));
        let libraries = paths.filter(|path| path.contains(".so.") && !path.ends_with(".cache"));
        let libraries = libraries.map(str::to_owned).collect();
        let threads = calls.iter().filter(|call| call.contains(" clone")).count();
        Self { calls: calls.len(), threads, libraries, trace }
    }

    fn assert_within(&self, most_calls: usize) {
        eprintln!("{} system calls (budget: {most_calls}), {:?}", self.calls, self.libraries);
        assert!(self.calls <= most_calls, "{} calls, not {most_calls}:\n{}", self.calls, self.trace);
        assert_eq!(self.threads, 2, "a vCPU and the devices beside the control loop:\n{}", self.trace);
        let only: Vec<_> = self.libraries.iter().filter(|path| !path.contains("/libc.so.")).collect();
        assert!(only.is_empty(), "no library but the C library: {only:?}");
    }
}

/// Some twenty of them are the price of a control loop that no device can hold up: a thread, an epoll and two timers. Nine
/// more happen where the program gives its own pages back before the guest has ended. Some thirty are the price of the jail:
/// each of three threads restricts itself to the paths and to the system calls of its role.
#[test]
fn without_a_device_it_takes_215_system_calls_at_most() {
    Start::traced(&["--console", "none", "--entropy", "off"]).assert_within(215);
}

#[test]
fn with_console_and_entropy_it_takes_265_at_most() {
    Start::traced(&[]).assert_within(265);
}
