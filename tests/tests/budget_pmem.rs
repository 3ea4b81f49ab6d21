//! What reading persistent memory costs that the guest has mapped with DAX and touched: no exit at all.
//!
//! A guest that reads 100,000 words is compared with one that does the same and reads 10. What else happens meanwhile is
//! time: host interrupts (INTR), and the guest's own timer, which arms itself (MSR) and wants to be let in (VINTR).

use std::fs;

use illico_tests::{Guest, Stage, ext4, guest};
use xtask::Series;

const FEW: u64 = 10;
const MANY: u64 = 100_000;
const TIME: [&str; 3] = ["INTR", "MSR", "VINTR"];
/// Exits of the two boots that differ by chance, such as a page that is faulted in once more: far less than a thousandth of
/// the reads.
const CHANCE: u64 = 30;

fn initrd() -> Vec<u8> {
    let program = guest::program(env!("CARGO_BIN_EXE_guest-reads").as_ref());
    let files: Vec<(&str, u32, Vec<u8>)> =
        program.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    // PID 1 finds `reads=N` of the command line in its environment.
    let script = "mount -t ext4 -o dax=always /dev/pmem0 /mnt && grep /mnt /proc/mounts
                  head -c 4194304 /dev/zero >/mnt/file && guest-reads mapped /mnt/file $reads; umount /mnt";
    guest::with_files(Series::V6_12, &["virtio_pmem", "nd_virtio", "nd_pmem", "ext4"], &files, script)
}

#[test]
fn reading_what_is_mapped_of_a_pmem_device_costs_no_exit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("image");
    ext4::make(&image, 16, 4096);
    let boot = |reads| {
        format!(
            "--kernel kernels/6.12/vmlinux --initrd reads.cpio --memory 128M --cmdline 'quiet reads={reads}' \
             --pmem path=image-{reads}"
        )
    };
    let ran = Stage::new()
        .bytes("reads.cpio", initrd())
        .bytes("image-10", fs::read(&image).expect("the image"))
        .script("cp image-10 image-100000")
        .count("few", &boot(FEW))
        .count("many", &boot(MANY))
        .run();
    let (few, many) = (ran.guest("few").ended_well(), ran.guest("many").ended_well());
    for (guest, reads) in [(&few, FEW), (&many, MANY)] {
        assert!(guest.console.contains("dax=always"), "{guest}");
        assert!(guest.console.contains(&format!("read {reads} words: ")), "{guest}");
    }
    let without_time =
        |guest: &Guest| guest.counted().total() - TIME.iter().map(|reason| guest.counted().count(reason)).sum::<u64>();
    let (few_exits, many_exits) = (without_time(&few), without_time(&many));
    let table = format!(
        "{FEW} words: {few_exits} exits, {MANY} words: {many_exits} exits\n{}\n{}",
        few.counted(),
        many.counted()
    );
    eprintln!("{table}");
    assert!(many_exits.saturating_sub(few_exits) <= CHANCE, "{table}");
}
