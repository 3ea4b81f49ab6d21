//! The initramfs for guests, under QEMU's emulation: PID 1 runs, modules load in order, the machine ends as asked.

use std::path::Path;
use std::process::Command;

use xtask::guest::{End, ends_at_once};
use xtask::{GuestInit, Kernel, Series, packages};

/// Boots an initramfs without KVM and returns the console once the guest has powered off or reset the machine.
fn boot(kernel: &Kernel, initramfs: &[u8], extra: &[&str]) -> String {
    packages::require(&[("qemu-system-x86_64", "qemu-system-x86")]).expect("QEMU can be installed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let initrd = folder.path().join("initrd");
    std::fs::write(&initrd, initramfs).expect("written");
    let output = Command::new("timeout")
        .args(["120", "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-m", "256"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .args([Path::new("-kernel"), &kernel.bzimage(), Path::new("-initrd"), &initrd])
        .args(["-append", "console=ttyS0 panic=-1 loglevel=6"])
        .args(extra)
        .output()
        .expect("QEMU runs");
    let console = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{console}{}", output.status, String::from_utf8_lossy(&output.stderr));
    console
}

fn kernel(series: Series) -> Kernel {
    Kernel::get(series).expect("the kernel is in the cache or can be downloaded")
}

#[test]
fn pid_1_that_reboots_at_once_reboots() {
    let console = boot(&kernel(Series::V6_12), &ends_at_once(End::Reboot), &[]);
    assert!(console.contains("reboot: Restarting system"), "{console}");
}

#[test]
fn pid_1_that_powers_off_at_once_powers_off() {
    let console = boot(&kernel(Series::V6_12), &ends_at_once(End::PowerOff), &[]);
    assert!(console.contains("reboot: Power down"), "{console}");
}

#[test]
fn a_script_sees_its_modules_its_files_and_then_the_machine_powers_off() {
    for series in Series::ALL {
        let kernel = kernel(series);
        let initramfs = GuestInit::new(&kernel)
            .modules(["virtio_pci", "virtio_blk", "ext4"])
            .file("/greeting", 0o644, "hello from a file\n")
            .script("uname -r; cat /greeting; cat /sys/block/vda/serial; echo; grep -c . /proc/mounts; echo the end")
            .build()
            .expect("the initramfs is built");
        let disk = ["-drive", "if=none,id=disk,format=raw,readonly=on,file=/bin/busybox"];
        let device = ["-device", "virtio-blk-pci,drive=disk,serial=a-serial"];
        let console = boot(&kernel, &initramfs, &[disk, device].concat());
        let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
        let script = [kernel.release.as_str(), "hello from a file", "a-serial"];
        assert!(lines.windows(3).any(|window| window == script), "{console}");
        assert!(lines.contains(&"the end"), "{console}");
        assert!(console.contains("reboot: Power down"), "{console}");
    }
}
