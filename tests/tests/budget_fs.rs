//! What a shared folder costs, as exits a file: 1,000 files of 4 KiB searched by `grep -r`, searched once more, and made,
//! over PCI.
//!
//! The work alone is counted: a guest that works is compared with one that boots and mounts in the same way. Host
//! interrupts (INTR) are left out, being time and not work.

use illico_tests::{Guest, Stage, guest};
use xtask::Series;

const FILES: u64 = 1000;

/// Searches as often as the command line says, and makes as many files.
const SCRIPT: &str = "
    mkdir /src /made && mount -t virtiofs -o ro src /src && mount -t virtiofs made /made
    content=$(head -c 4095 /dev/zero | tr '\\0' x)
    for search in $searches; do grep -r -c 'no such words' /src | wc -l; done
    for file in $(seq $files); do echo $content >/made/$file; done; echo made";

/// What `more` needed and `less` did not: requests, exits in thousandths a file, and a table.
fn difference(device: &str, less: &Guest, more: &Guest) -> (u64, u64, String) {
    let (before, after) = (less.counted(), more.counted());
    let total = after.without_intr().saturating_sub(before.without_intr());
    let mut table = format!("{:>10.3} exits a file", total as f64 / FILES as f64);
    // MSR is the guest's timer: as many as the search takes time.
    for reason in ["NPF", "HLT", "VINTR", "MSR", "IOIO", "CPUID", "PAUSE", "INTR"] {
        let more = after.count(reason) as i64 - before.count(reason) as i64;
        table.push_str(&format!("\n{:>10.3}  {reason}", more as f64 / FILES as f64));
    }
    for figure in ["requests", "kicks", "interrupts", "suppressed"] {
        let figure_of = |guest: &Guest| guest.queue(device, 1, figure) as f64;
        table.push_str(&format!("\n{:>10.3}  {figure}", (figure_of(more) - figure_of(less)) / FILES as f64));
    }
    let requests = more.queue(device, 1, "requests") - less.queue(device, 1, "requests");
    (requests, total * 1000 / FILES, table)
}

#[test]
fn a_file_costs_one_request_to_be_searched_none_the_second_time_and_few_to_be_made() {
    /// One for each file, and one for each page of entries.
    const REQUESTS: u64 = 1060;
    /// GETATTR of the folder, which a file more has changed; LOOKUP, CREATE, WRITE and RELEASE; and one to spare.
    const MADE: u64 = 6010;
    /// A kick, an interrupt, and the timer while the guest waits; thousandths a file.
    const COLD: u64 = 4000;
    const WARM: u64 = 1000;
    let boot = |searches, files| {
        format!(
            "--kernel kernels/6.12/vmlinux --initrd init.cpio --memory 256M \
             --cmdline 'quiet searches=\"{searches}\" files={files}' \
             --fs path=/tmp/src,tag=src,readonly --fs path=/tmp/made,tag=made"
        )
    };
    let ran = Stage::new()
        .release()
        .bytes("init.cpio", guest::scripted(Series::V6_12, &[], SCRIPT))
        .script("mkdir /tmp/src /tmp/made && for n in $(seq 1000); do head -c 4096 /dev/urandom >/tmp/src/$n; done")
        .count("none", &boot("", 0))
        .count("cold", &boot("1", 0))
        .count("warm", &boot("1 2", 0))
        .count("made", &boot("", FILES))
        .run();
    let [none, cold, warm, made] = ["none", "cold", "warm", "made"].map(|name| ran.guest(name).ended_well());
    assert!(cold.says("1000") && warm.says("1000"), "{warm}");
    let (first, second) = (difference("fs0", &none, &cold), difference("fs0", &cold, &warm));
    let made = difference("fs1", &none, &made);
    let table = format!("cold:\n{}\nwarm:\n{}\nmade:\n{}", first.2, second.2, made.2);
    eprintln!("{table}");
    assert!(first.0 <= REQUESTS && second.0 == 0 && made.0 <= MADE, "{table}");
    assert!(first.1 <= COLD && second.1 <= WARM, "{table}");
}
