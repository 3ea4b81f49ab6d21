//! A file behind guest memory that another program cuts short while the guest reads it, in the lab: the machine ends with one line,
//! and the terminal is as it was.

use std::fs;

use illico_tests::user::{became, case, is, stage};
use illico_tests::{ext4, guest, image};
use xtask::Series;

const MODULES: [&str; 4] = ["virtio_pmem", "nd_virtio", "nd_pmem", "ext4"];

const READS: &str = "
    mount -t ext4 -o dax=always /dev/pmem0 /mnt && head -c 8000000 /dev/zero >/mnt/file && sync && echo reading
    while :; do cat /mnt/file >/dev/null; done";

/// Answers `size` as its terminal is, and reads its image for ever once it is left.
const ASKED: &str = r#"sh -c 'busybox stty -echo; echo ready; while read word; do
    test "$word" = size || { echo >/d/cut; while :; do cat /bin/busybox >/dev/null; done; }
    echo "$word: $(busybox stty size)"; done'"#;

const SEEN: [&str; 6] = [
    "while it runs: lines off, echo off, signals off, output off",
    "size: 30 100",
    "size: 40 120",
    "it ended: exit status: 125",
    "afterwards: lines on, echo on, signals on, output on",
    "as before: true",
];

#[test]
fn a_file_that_is_cut_short_ends_the_machine_with_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = folder.path().join("disk");
    ext4::make(&disk, 16, 4096);
    let boot = "illico boot --kernel /kernels/6.12/vmlinux --initrd read.cpio --memory 128M --cmdline quiet --pmem path=disk >console 2>said &
        until grep -q reading console; do sleep 0.2; done; truncate -s 2M disk; wait $!; echo $?; wc -l <said; grep -c 'cut short' said";
    let run = format!(
        "mkdir d; (until test -e d/cut; do sleep 0.1; done; for f in .local/share/illico/images/*; do test -f $f && chmod u+w $f && truncate -s 1M $f; done) &
         on-a-terminal --leave 'now
' timeout -s KILL 100 illico run --net none --kernel /kernels/6.12/vmlinux -v ./d:/d -it ./root.tar {ASKED} 2>said; grep -c 'cut short' said"
    );
    let stage = stage()
        .program(env!("CARGO_BIN_EXE_on-a-terminal"))
        .bytes("read.cpio", guest::scripted(Series::V6_12, &MODULES, READS))
        .bytes("disk", fs::read(&disk).expect("the disk"))
        .bytes("root.tar", image::root())
        .script("cp on-a-terminal /bin/; mv read.cpio disk root.tar /home/user/; chown user /home/user/disk");
    let ran = case(case(stage, "boot", boot), "run", &run).run();
    assert_eq!(became(&ran, "boot"), is(0, "104\n1\n1\n", ""));
    let run = became(&ran, "run");
    let lines: Vec<_> = run.out.lines().collect();
    assert_eq!(lines, [&SEEN[..], &["1"]].concat(), "{}", run.err);
}
