//! Debian's kernels on machines of several shapes: both formats, CPUs, memory below and above the hole, both transports.
//!
//! Not the whole product: with each kernel, any two of format, CPUs and transport meet in every combination.

use illico_tests::{Guest, Stage, guest};
use xtask::Series;

/// The disk: what a guest says of it shows which transport it came by, and that its bytes are those of the file.
const DISK: &str = "head -c 1m /dev/urandom >disk.img; md5sum <disk.img";

const SCRIPT: &str = "\
    echo release $(uname -r)\n\
    echo cpus $(nproc)\n\
    grep MemTotal /proc/meminfo\n\
    echo disk $(readlink /sys/block/vda)\n\
    echo read $(md5sum </dev/vda)";

struct Shape {
    image: &'static str,
    cpus: u32,
    memory_mib: u64,
    transport: &'static str,
}

const SHAPES: [Shape; 4] = [
    Shape { image: "vmlinux", cpus: 1, memory_mib: 512, transport: "pci" },
    Shape { image: "vmlinux", cpus: 2, memory_mib: 5120, transport: "mmio" },
    Shape { image: "vmlinuz", cpus: 1, memory_mib: 512, transport: "mmio" },
    Shape { image: "vmlinuz", cpus: 2, memory_mib: 5120, transport: "pci" },
];

impl Shape {
    fn name(&self) -> String {
        format!("{}-{}-{}", self.image, self.cpus, self.transport)
    }

    fn options(&self, series: Series) -> String {
        format!(
            "--kernel kernels/{}/{} --initrd look.cpio --cmdline quiet --disk path=disk.img --cpus {} --memory {}M --transport {}",
            series.name(),
            self.image,
            self.cpus,
            self.memory_mib,
            self.transport
        )
    }

    fn holds(&self, guest: &Guest, series: Series, sum: &str) {
        let said = |word: &str| {
            let line = guest.console.lines().find_map(|line| line.strip_prefix(word));
            line.unwrap_or_else(|| panic!("no {word:?}\n{guest}")).trim()
        };
        assert_eq!(said("release "), guest::kernel(series).release);
        assert_eq!(said("cpus "), self.cpus.to_string(), "{guest}");
        // The kernel keeps some for itself, such as 64 bytes for every page.
        let kib: u64 = said("MemTotal:").trim_end_matches(" kB").parse().unwrap_or_else(|_| panic!("{guest}"));
        assert!((self.memory_mib * 1024 * 4 / 5..self.memory_mib * 1024).contains(&kib), "{guest}");
        let parent = if self.transport == "pci" { "/pci0000:00/" } else { "/LNRO0005:" };
        assert!(said("disk ").contains(parent), "{guest}");
        assert!(!sum.is_empty() && said("read ").split_whitespace().next() == Some(sum), "{guest}");
    }
}

fn boots_in_every_shape(series: Series) {
    let mut stage =
        Stage::new().memory_mib(6500).bytes("look.cpio", guest::scripted(series, &["virtio_blk"], SCRIPT)).script(DISK);
    for shape in &SHAPES {
        stage = stage.boot(&shape.name(), &shape.options(series));
    }
    let ran = stage.run();
    let sum = ran.output.split_whitespace().next().unwrap_or_default();
    for shape in &SHAPES {
        shape.holds(&ran.guest(&shape.name()).ended_well(), series, sum);
    }
}

#[test]
fn linux_6_12_boots_in_every_shape() {
    boots_in_every_shape(Series::V6_12);
}

#[test]
fn linux_6_1_boots_in_every_shape() {
    boots_in_every_shape(Series::V6_1);
}

/// Debian's kernels are built without `CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES`, so the probe is who reads the words.
#[test]
fn the_probe_finds_a_disk_that_only_the_command_line_announces() {
    let probe = "--kernel :probe: --memory 64M --cmdline probe=hello,blk --transport mmio --disk path=disk.img";
    let ran =
        Stage::new().script(DISK).boot("acpi", probe).boot("cmdline", &format!("{probe} --announce cmdline")).run();
    let requests = |name| {
        let guest = ran.guest(name).ended_well();
        guest.queue("disk0", 0, "requests")
    };
    assert_eq!(requests("acpi"), 0, "the probe does not read ACPI: without the words it knows of no disk");
    assert!(requests("cmdline") >= 256);
}
