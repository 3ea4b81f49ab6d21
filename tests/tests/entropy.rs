//! The guest has a source of random bytes, unless it is told to have none.

use illico_tests::{Stage, guest};
use xtask::Series;

#[test]
fn a_guest_reads_random_bytes_of_the_host() {
    const SCRIPT: &str = "
        echo source $(cat /sys/class/misc/hw_random/rng_current)
        for time in 1 2; do
            echo bytes $(head -c 64 /dev/hwrng | od -A n -v -t x1 | tr -d ' \\n')
        done";
    let mut stage = Stage::new();
    for series in [Series::V6_12, Series::V6_1] {
        let name = series.name();
        stage = stage.bytes(&format!("{name}.cpio"), guest::scripted(series, &["virtio_rng"], SCRIPT));
    }
    let options = |name| format!("--kernel kernels/{name}/vmlinux --initrd {name}.cpio --memory 128M --cmdline quiet");
    let ran = stage
        .boot("pci", &options("6.12"))
        .boot("mmio", &format!("{} --transport mmio", options("6.1")))
        .boot("off", &format!("{} --entropy off", options("6.12")))
        .run();
    for name in ["pci", "mmio"] {
        let guest = ran.guest(name).ended_well();
        assert!(guest.console.contains("source virtio_rng"), "{guest}");
        let read: Vec<&str> = guest.console.lines().filter_map(|line| line.strip_prefix("bytes ")).collect();
        let [first, second] = read[..] else { panic!("{guest}") };
        assert_eq!((first.len(), second.len()), (128, 128), "{guest}");
        assert_ne!(first, second, "{guest}");
    }
    let off = ran.guest("off").ended_well();
    assert!(!off.console.contains("virtio_rng"), "{off}");
    assert!(off.console.lines().all(|line| line.trim_end() == "bytes" || !line.starts_with("bytes")), "{off}");
}
