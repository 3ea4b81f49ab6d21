//! Guests of many vCPUs and odd sizes: each CPU and all of the memory is there, at the borders of 3 and 4 GiB too.
//!
//! With several vCPUs in the lab's emulation an interrupt is injected while another CPU is kicked all the time; a guest
//! that stalls here is killed after 150 s and fails its test. Nothing is tried twice.

use illico_tests::{Guest, Stage, guest};
use xtask::Series;

const SCRIPT: &str = "echo cpus $(nproc)\ngrep MemTotal /proc/meminfo";

/// vCPUs and MiB. The hole for devices begins at 3 GiB, so 3,073 MiB are the least that reach above 4 GiB.
const SHAPES: [(u32, u64); 8] = [(1, 128), (2, 128), (4, 256), (8, 256), (3, 3071), (3, 3072), (3, 3073), (5, 4097)];

#[test]
fn every_vcpu_and_all_memory_is_there() {
    let mut stage = Stage::new().memory_mib(6500).bytes("look.cpio", guest::scripted(Series::V6_12, &[], SCRIPT));
    for (cpus, mib) in SHAPES {
        let options =
            format!("--kernel kernels/6.12/vmlinux --initrd look.cpio --cmdline quiet --cpus {cpus} --memory {mib}M");
        stage = stage.boot(&format!("guest-{cpus}-{mib}"), &options);
    }
    let ran = stage.run();
    for (cpus, mib) in SHAPES {
        let guest = ran.guest(&format!("guest-{cpus}-{mib}")).ended_well();
        assert!(guest.says(&format!("cpus {cpus}")), "{guest}");
        assert!((mib * 1024 * 2 / 3..mib * 1024).contains(&mem_total(&guest)), "{guest}");
    }
}

/// KiB of memory that the guest's kernel has for use.
fn mem_total(guest: &Guest) -> u64 {
    let total = guest.console.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The kernel takes 64 MiB below 4 GiB for devices that do not reach above, as soon as there is memory above: here that is 1 MiB.
#[test]
fn memory_above_4_gib_costs_no_bounce_buffers() {
    let options = "--kernel kernels/6.12/vmlinux --initrd look.cpio --memory 3073M";
    let ran = Stage::new()
        .memory_mib(4500)
        .bytes("look.cpio", guest::scripted(Series::V6_12, &[], SCRIPT))
        .boot("default", &format!("{options} --cmdline quiet"))
        .boot("bare", &format!("{options} --no-default-cmdline --cmdline 'quiet console=hvc0 panic=-1 tsc=reliable'"))
        .run();
    let [default, bare] = ["default", "bare"].map(|name| mem_total(&ran.guest(name).ended_well()));
    eprintln!("MemTotal of 3,073 MiB: {default} KiB with the default words, {bare} KiB without");
    assert!(default > bare + 60 * 1024, "{default} and {bare} KiB");
}

#[test]
fn twelve_boots_of_two_vcpus_in_a_row_end() {
    let mut stage = Stage::new();
    for number in 0..12 {
        let options =
            "--kernel kernels/6.12/vmlinux --initrd /guests/reboot.cpio --memory 128M --cpus 2 --cmdline quiet";
        stage = stage.boot(&format!("boot{number}"), options);
    }
    let ran = stage.only_in_the_lab("its init is there").run();
    for number in 0..12 {
        ran.guest(&format!("boot{number}")).ended_well();
    }
}
