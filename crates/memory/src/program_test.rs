use std::fs;

use super::*;

/// KiB of files that this process has mapped and touched.
fn resident_file_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssFile:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

static TABLE: [u32; 1024] = [7; 1024];

#[test]
fn less_of_the_program_is_resident_afterwards_and_it_goes_on() {
    let mut written = vec![1, 2, 3];
    let sum = || std::hint::black_box(&TABLE).iter().sum::<u32>();
    assert_eq!(sum(), 7 * 1024);
    let before = resident_file_kib();
    give_back_program();
    let after = resident_file_kib();
    assert!(after + 256 <= before, "{before} KiB, then {after}");
    written.push(4);
    assert_eq!((sum(), written.len()), (7 * 1024, 4));
}
