//! Each rule has a timeline in which it speaks, and one with the same length in which it must not.

use super::*;
use crate::show::timeline::accounted::Accounted;
use crate::show::timeline::story::{Bucket, Exits, INIT, MONITOR, Mark, SCHEMA};

const MS: u64 = 1_000_000;

/// A timeline of one second until init, in which these took that long, one after the other.
fn story(spans: &[(&str, &str, u64)]) -> Story {
    let mut at = 0;
    let span = |&(lane, name, ms): &(&str, &str, u64)| {
        let begin = at;
        at += ms * MS;
        Span { lane: lane.into(), name: name.into(), detail: String::new(), begin, end: at }
    };
    let mut spans: Vec<Span> = spans.iter().map(span).collect();
    let whole = Span { lane: GUEST.into(), name: "initcalls".into(), detail: String::new(), begin: 0, end: 1000 * MS };
    spans.push(whole);
    Story {
        schema: SCHEMA.into(),
        end: 1000 * MS,
        exec_uncertain: 0,
        guest_clock: None,
        accounted: Accounted { until: INIT.into(), total: 1000 * MS, ..Accounted::default() },
        marks: vec![Mark { name: INIT.into(), at: 1000 * MS }],
        spans,
        spans_left_out: 0,
        exits: None,
    }
}

/// 100 buckets of 10 ms, in which these came.
fn with_exits(reasons: &[(&str, u64)], parties: &[(&str, u64)], halted: u64, pages: (u64, u64)) -> Story {
    let names = |of: &[(&str, u64)]| of.iter().map(|(name, _)| (*name).to_owned()).collect();
    let counts = |of: &[(&str, u64)]| of.iter().map(|(_, count)| count / 100).collect();
    let bucket = |n: u64| Bucket {
        begin: n * 10 * MS,
        end: (n + 1) * 10 * MS,
        all: counts(reasons),
        came_up: counts(parties),
        halted: halted / 100,
    };
    let exits = Exits {
        reasons: names(reasons),
        parties: names(parties),
        buckets: (0..100).map(bucket).collect(),
        pages: Some(pages),
    };
    Story { exits: Some(exits), ..story(&[]) }
}

fn says(story: &Story, words: &str) -> Option<Item> {
    largest(story).into_iter().find(|item| item.what.contains(words))
}

#[track_caller]
fn speaks(story: &Story, words: &str, ms: u64, remedy: &str) {
    let item = says(story, words).unwrap_or_else(|| panic!("{words:?} is not in {:#?}", largest(story)));
    assert_eq!(item.took, ms * MS, "{item:?}");
    assert!(item.remedy.contains(remedy), "{item:?}");
}

#[track_caller]
fn silent(story: &Story, words: &str) {
    assert_eq!(says(story, words), None);
}

#[test]
fn the_bzimage() {
    speaks(&story(&[(MONITOR, "unpack the kernel", 300)]), "unpacking the bzImage", 300, "vmlinux");
    silent(&story(&[(MONITOR, "read the kernel", 300)]), "unpacking the bzImage");
    speaks(&story(&[(MONITOR, "hash the packed kernel", 40)]), "hashing the bzImage", 40, "vmlinux");
    silent(&story(&[(MONITOR, "hash the packed kernel", 9)]), "hashing the bzImage");
}

#[test]
fn work_of_the_monitor() {
    speaks(&story(&[(MONITOR, "read the kernel", 50)]), "reading the kernel", 50, "smaller");
    speaks(&story(&[(MONITOR, "exec and loading of the program", 50)]), "illico itself", 50, "page cache");
    let calls = [(MONITOR, "KVM_CREATE_VCPU", 10), (MONITOR, "x", 1), (MONITOR, "KVM_CREATE_VCPU", 20)];
    speaks(&story(&calls), "making the vCPUs (2 calls)", 30, "--cpus");
    silent(&story(&[(LOG, "KVM_CREATE_VCPU", 50)]), "making the vCPUs");
}

#[test]
fn the_initrd() {
    let unpacked = [
        (LOG, "Trying to unpack rootfs image as initramfs...", 80),
        (LOG, "workingset: timestamp_bits=36", 20),
        (LOG, "Freeing initrd memory: 20480K", 300),
    ];
    speaks(&story(&unpacked), "its initrd of 20480K", 100, "--pmem");
    silent(&story(&unpacked[..2]), "its initrd");
    speaks(&story(&[(MONITOR, "read the initrd", 30)]), "reading the initrd", 30, "--pmem");
}

#[test]
fn calibrations() {
    let counted = [(LOG, "Calibrating delay loop... 5199.98 BogoMIPS (lpj=10399960)", 40)];
    speaks(&story(&counted), "delay loop", 40, "lpj=");
    silent(&story(&[(LOG, "Calibrating delay loop (skipped) preset value..", 40)]), "delay loop by counting");
    let raid = [(LOG, "raid6: avx2x4   gen() 21 MB/s", 16), (LOG, "raid6: avx2x2   gen() 21 MB/s", 16)];
    speaks(&story(&raid), "RAID", 32, "btrfs");
    silent(&story(&[(LOG, "md: raid6 personality registered", 30)]), "RAID");
}

#[test]
fn probes_for_old_hardware() {
    speaks(&story(&[(LOG, "i8042: Probing ports directly.", 60)]), "i8042", 60, "i8042.noprobe");
    silent(&story(&[(LOG, "i8042: PNP: No PS/2 controller found.", 60)]), "keyboard controller");
    speaks(&story(&[(LOG, "Serial: 8250/16550 driver, 4 ports", 70)]), "serial ports", 70, "8250.nr_uarts=0");
    silent(&story(&[(LOG, "serial: something else", 70)]), "looking for serial ports");
    // An initcall knows better than the log.
    let both = [(LOG, "Serial: 8250/16550 driver, 4 ports", 70), (INITCALLS, "serial8250_init", 50)];
    speaks(&story(&both), "serial ports", 50, "8250.nr_uarts=0");
}

#[test]
fn mitigations() {
    let lines = [(LOG, "Spectre V2 : Mitigation: Retpolines", 15), (LOG, "MDS: Vulnerable: no microcode", 15)];
    speaks(&story(&lines[..1]), "mitigations", 15, "mitigations=off");
    speaks(&story(&lines), "mitigations", 30, "mitigations=off");
    silent(&story(&[(LOG, "Spectre V2 : off", 15)]), "mitigations");
}

#[test]
fn certificates() {
    let line = "Loading compiled-in X.509 certificates";
    speaks(&story(&[(LOG, line, 120)]), "certificates", 120, "CONFIG_SYSTEM_TRUSTED_KEYRING");
    silent(&story(&[(LOG, line, 9)]), "certificates");
}

#[test]
fn modules() {
    let mut late = story(&[(LOG, "before", 1000), (INITCALLS, "virtio_blk_init", 30), (INITCALLS, "ext4_init", 50)]);
    speaks(&late, "starting 2 modules after init, most of it ext4_init", 80, "built in");
    late.marks.clear();
    silent(&late, "modules");
}

#[test]
fn the_console_on_a_uart() {
    // 40,000 exits, 400 in each 10 ms: 25 us each at most, which is all of the time.
    speaks(&with_exits(&[], &[("uart", 40_000)], 0, (0, 0)), "40000 exits for the UART", 1000, "--console virtio");
    silent(&with_exits(&[], &[("uart", 900)], 0, (0, 0)), "UART");
    silent(&with_exits(&[], &[("disk0", 40_000)], 0, (0, 0)), "UART");
}

#[test]
fn what_exits_cost_is_taken_where_they_came_fastest() {
    let mut story = with_exits(&[], &[("uart", 40_000)], 0, (0, 0));
    // In one bucket 1,000 of them: 10 us each at most, 4 ms in each of the others.
    story.exits.as_mut().unwrap().buckets[0].came_up = vec![1000];
    speaks(&story, "40600 exits for the UART", 10 + 99 * 4, "--console virtio");
}

#[test]
fn exits_of_a_device_and_of_nobody() {
    speaks(&with_exits(&[], &[("disk0", 5_000)], 0, (0, 0)), "registers of disk0", 1000, "--transport pci");
    silent(&with_exits(&[], &[("disk0", 500)], 0, (0, 0)), "disk0");
    speaks(&with_exits(&[], &[("nobody", 2_000)], 0, (0, 0)), "hardware that is not there", 1000, "docs/boot.md");
    silent(&with_exits(&[], &[("nobody", 100)], 0, (0, 0)), "not there");
}

#[test]
fn small_pages() {
    speaks(&with_exits(&[("memory", 20_000)], &[], 0, (20_000, 0)), "20000 pages of 4 KiB", 1000, "--hugepages");
    silent(&with_exits(&[("memory", 20_000)], &[], 0, (35, 37)), "pages of 4 KiB");
    silent(&with_exits(&[("memory", 100)], &[], 0, (20_000, 0)), "pages of 4 KiB");
}

#[test]
fn exits_that_kvm_does_not_tell_apart() {
    speaks(&with_exits(&[("unaccounted", 8_000)], &[], 0, (0, 0)), "8000 exits for CPUID", 1000, "start fewer");
    silent(&with_exits(&[("unaccounted", 1_500)], &[], 0, (0, 0)), "CPUID");
}

#[test]
fn waiting() {
    let mut waits = with_exits(&[], &[], 200 * MS, (0, 0));
    waits.spans.extend(story(&[(LOG, "Waiting for root device /dev/vda...", 500)]).spans);
    speaks(&waits, "most of it after \u{201c}Waiting for root device", 200, "waited for");
    silent(&with_exits(&[], &[], 0, (0, 0)), "nothing to do");
    silent(&with_exits(&[], &[], 5 * MS, (0, 0)), "nothing to do");
}

#[test]
fn what_no_rule_knows_is_named_by_itself() {
    let steps = [(LOG, "IP idents hash table entries: 4096", 200), (LOG, "Freeing unused decrypted memory", 5)];
    speaks(&story(&steps), "IP idents hash", 200, "--timeline-initcalls");
    silent(&story(&steps), "Freeing unused decrypted");
    let mut with_calls = story(&[(LOG, "IP idents hash table entries: 4096", 200)]);
    with_calls.spans.extend(story(&[(INITCALLS, "inet_init", 180)]).spans);
    speaks(&with_calls, "the initcall inet_init", 180, "initcall_blacklist=inet_init");
    silent(&with_calls, "IP idents hash");
}

#[test]
fn other_work_of_the_monitor_is_named_unless_its_parts_are() {
    let mut whole = story(&[(MONITOR, "make the initramfs", 40)]);
    speaks(&whole, "to make the initramfs", 40, "release build");
    whole.spans.extend(story(&[(MONITOR, "read the kernel", 30)]).spans);
    silent(&whole, "to make the initramfs");
}

#[test]
fn nothing_is_said_twice_and_no_more_than_five_things() {
    let many: Vec<_> =
        (0..20).map(|n| (LOG, if n == 7 { "i8042: Probing ports directly." } else { "a line" }, 20)).collect();
    let items = largest(&story(&many));
    assert_eq!(items.len(), MOST);
    let lines = items.iter().filter(|item| item.what.contains("\u{201c}i8042")).count();
    assert_eq!(lines, 0, "the rule has spoken of it: {items:#?}");
    assert!(items.windows(2).all(|pair| pair[0].took >= pair[1].took));
}

#[test]
fn a_timeline_of_nothing_says_nothing() {
    let mut nothing = story(&[]);
    nothing.spans.clear();
    assert_eq!(largest(&nothing), []);
}
