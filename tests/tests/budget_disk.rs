//! What a disk costs, as exits a request: 4,000 direct reads of 4 KiB, one at a time, over PCI.
//!
//! The reads alone are counted: a guest that reads is compared with one that boots in the same way and reads nothing.
//! Host interrupts (INTR) are left out, being time and not work.

use illico_tests::{Guest, Stage, guest};
use xtask::Series;

const READS: u64 = 4000;

fn initrd() -> Vec<u8> {
    let program = guest::program(env!("CARGO_BIN_EXE_guest-reads").as_ref());
    let files: Vec<(&str, u32, Vec<u8>)> =
        program.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    // PID 1 finds `reads=N` of the command line in its environment.
    guest::with_files(Series::V6_12, &["virtio_blk"], &files, "guest-reads direct /dev/vda $reads && echo read")
}

/// Both guests, on a disk with these options.
fn stage(options: &str) -> Stage {
    let boot = |reads| {
        format!(
            "--kernel kernels/6.12/vmlinux --initrd reads.cpio --memory 128M --cmdline 'quiet reads={reads}' \
             --disk path=/tmp/disk{options}"
        )
    };
    Stage::new()
        .release()
        .bytes("reads.cpio", initrd())
        .script("head -c 16m /dev/urandom >/tmp/disk")
        .count("none", &boot(0))
        .count("reads", &boot(READS))
}

/// Prints where the exits of a read went and asserts that they are at most so many thousandths.
fn assert_within_budget(none: &Guest, reads: &Guest, most_thousandths: u64) {
    let (none_exits, reads_exits) = (none.counted(), reads.counted());
    let requests = reads.queue("disk0", 0, "requests") - none.queue("disk0", 0, "requests");
    assert!((READS..READS + 40).contains(&requests), "{requests} requests for {READS} reads\n{reads}");
    assert!(reads.says("read"), "{reads}");
    let total = reads_exits.without_intr().saturating_sub(none_exits.without_intr());
    let mut table = format!(
        "{}.{:03} exits a read (budget {}.{:03})",
        total / READS,
        total % READS * 1000 / READS,
        most_thousandths / 1000,
        most_thousandths % 1000
    );
    for reason in ["NPF", "HLT", "VINTR", "MSR", "IOIO", "CPUID", "PAUSE", "INTR"] {
        let more = reads_exits.count(reason) as i64 - none_exits.count(reason) as i64;
        table.push_str(&format!("\n{:>10.3}  {reason}", more as f64 / READS as f64));
    }
    for figure in ["kicks", "interrupts", "suppressed"] {
        let figure_of = |guest: &Guest| guest.queue("disk0", 0, figure) as f64;
        table.push_str(&format!("\n{:>10.3}  {figure}", (figure_of(reads) - figure_of(none)) / READS as f64));
    }
    if let Some(polling) = reads.exits.pointer("/devices").and_then(|devices| {
        devices.as_array()?.iter().find(|device| device["name"] == "disk0")?["queues"][0].get("polling").cloned()
    }) {
        table.push_str(&format!("\npolling: {polling}"));
    }
    eprintln!("{table}");
    assert!(total * 1000 <= most_thousandths * READS, "{table}");
}

#[test]
fn a_direct_read_costs_at_most_2_exits() {
    let ran = stage("").run();
    assert_within_budget(&ran.guest("none").ended_well(), &ran.guest("reads").ended_well(), 2000);
}

/// On one CPU a poller would take the time of the guest that it waits for: the disk says that it does not poll, and its
/// thread preempts the vCPU that kicks it. A read is one kick then, and whatever timer ticks fall into it.
#[test]
fn a_direct_read_from_a_polled_disk_costs_at_most_1_3_exits() {
    let ran = stage(",poll=adaptive").run();
    assert_within_budget(&ran.guest("none").ended_well(), &ran.guest("reads").ended_well(), 1300);
}

/// With a CPU to poll on, most reads need no kick. What else they cost in the lab is its own: with no posted interrupts,
/// each completion from another CPU finds the guest halted or with interrupts off.
#[test]
fn a_polled_disk_on_two_cpus_is_hardly_kicked() {
    let ran = stage(",poll=adaptive").cpus(2).run();
    let (none, reads) = (ran.guest("none").ended_well(), ran.guest("reads").ended_well());
    assert_within_budget(&none, &reads, u64::MAX / READS);
    let kicks = reads.queue("disk0", 0, "kicks");
    assert!(kicks * 3 <= READS, "{kicks} kicks for {READS} reads");
}
