//! `illico doctor` on a complete KVM, and the clock of `--rtc` as Linux reads it.

use std::path::PathBuf;

use xtask::project::{self, Profile};
use xtask::{GuestInit, Kernel, Lab, Series};

fn illico() -> PathBuf {
    project::illico(Profile::Release).expect("illico builds")
}

#[test]
fn a_host_that_runs_linux_is_told_so() {
    let outcome = Lab::script("illico doctor --json").program(illico()).run().expect("the lab runs");
    assert_eq!(outcome.status, 0, "{}", outcome.text());
    let findings: serde_json::Value = serde_json::from_str(&outcome.text()).expect("JSON");
    let verdict = |check: &str| {
        let all = findings.as_array().expect("an array");
        let finding = all.iter().find(|finding| finding["check"] == check).expect("the check");
        (finding["verdict"].as_str().expect("a word"), finding["fix"].as_str())
    };
    for check in ["kvm", "capabilities", "ring0", "cpu", "huge-pages", "entropy"] {
        assert_eq!(verdict(check), ("ok", None), "{check}: {findings:#}");
    }
    // The lab's kernel is between 6.0 and 6.13, its cgroups are mounted as they come, and no module is loaded.
    assert_eq!(verdict("cgroup"), ("warning", Some("mount -o remount,favordynmods /sys/fs/cgroup")));
    assert_eq!(verdict("tap"), ("warning", Some("load it: modprobe tun")));
}

#[test]
fn what_the_doctor_says_helps() {
    let script = "mount -o remount,favordynmods /sys/fs/cgroup && illico doctor | grep -E ' (cgroup|tap) '";
    let outcome = Lab::script(script).program(illico()).module("tun").run().expect("the lab runs");
    let text = outcome.text();
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 2, "{text}");
}

#[test]
fn linux_reads_the_time_of_the_host_from_the_clock() {
    let kernel = Kernel::get(Series::V6_12).expect("the kernel is in the cache or can be downloaded");
    let clock = "/sys/class/rtc/rtc0";
    let initrd = GuestInit::new(&kernel)
        .script(format!("echo clock $(cat {clock}/name) $(cat {clock}/since_epoch)"))
        .build()
        .expect("the initramfs is built");
    let script = "
        date +'before %s'
        illico boot --rtc --kernel /kernels/6.12/vmlinux --initrd /root/init.cpio --memory 128M --cmdline quiet
        date +'after %s'";
    let outcome =
        Lab::script(script).program(illico()).bytes("/root/init.cpio", 0o644, initrd).run().expect("the lab runs");
    let text = outcome.text();
    let number = |first: &str| {
        let line = text.lines().find(|line| line.starts_with(first)).unwrap_or_else(|| panic!("no {first}:\n{text}"));
        line.split_ascii_whitespace().next_back().and_then(|word| word.parse::<u64>().ok()).expect("seconds")
    };
    assert!(text.contains("clock rtc_cmos"), "{text}");
    assert!((number("before")..=number("after")).contains(&number("clock")), "{text}");
}
