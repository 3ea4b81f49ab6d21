//! A file of the host as the guest's memory: mounted with DAX, written by the guest's CPU and by its disks, and right on
//! the host when the guest has gone.

use std::fs;

use illico_tests::{Stage, ext4, guest};
use xtask::Series;

const MODULES: [&str; 4] = ["virtio_pmem", "nd_virtio", "nd_pmem", "ext4"];

#[test]
fn what_a_guest_writes_with_dax_is_in_the_file() {
    const WRITE: &str = "
        mount -t ext4 -o dax=always /dev/pmem0 /mnt && grep /mnt /proc/mounts
        seq 1 100000 >/mnt/file && sync && umount /mnt && echo written";
    const READ: &str = "
        mount -t ext4 -o ro,dax=always /dev/pmem0 /mnt && grep /mnt /proc/mounts
        seq 1 100000 | cmp - /mnt/file && umount /mnt && echo the same";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("image");
    ext4::make(&image, 16, 4096);
    let ran = Stage::new()
        .bytes("write.cpio", guest::scripted(Series::V6_12, &MODULES, WRITE))
        .bytes("read.cpio", guest::scripted(Series::V6_1, &MODULES, READ))
        .bytes("image", fs::read(&image).expect("the image"))
        .boot("write", "--kernel kernels/6.12/vmlinux --initrd write.cpio --memory 128M --pmem path=image")
        .script("sha256sum image")
        .boot(
            "read",
            "--kernel kernels/6.1/vmlinux --initrd read.cpio --memory 128M --pmem path=image,readonly --transport mmio",
        )
        .script("sha256sum image")
        .fetch("image")
        .run();

    let guest = ran.guest("write").ended_well();
    assert!(guest.console.contains("dax=always") && guest.console.contains("written\n"), "{guest}");
    fs::write(&image, ran.file("image")).expect("written");
    ext4::assert_clean(&image);
    let lines: String = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert!(ext4::content(&image, "/file") == lines.as_bytes(), "the file has other bytes");

    let guest = ran.guest("read").ended_well();
    assert!(guest.console.contains("dax=always") && guest.console.contains("the same\n"), "{guest}");
    let [before, after] = ran.output.lines().collect::<Vec<_>>()[..] else { panic!("{}", ran.output) };
    assert_eq!(before, after, "a read-only file has changed");
}

/// The disk's buffers then lie in the file, not in RAM.
#[test]
fn a_disk_reads_into_persistent_memory_and_writes_from_it() {
    const SCRIPT: &str = "
        mount -t ext4 -o dax=always /dev/pmem0 /mnt && grep /mnt /proc/mounts
        for disk in vda vdb; do
            head -c 1048576 /dev/zero >/mnt/$disk && sync
            direct-into-map /dev/$disk /mnt/$disk && echo $disk done
        done
        umount /mnt";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = folder.path().join("image");
    ext4::make(&image, 16, 4096);
    let content: Vec<u8> = (0..131_072_u64).flat_map(u64::to_le_bytes).collect();
    let disk = [content.clone(), vec![0; content.len()]].concat();
    let files = guest::program(env!("CARGO_BIN_EXE_direct-into-map").as_ref());
    let files: Vec<(&str, u32, Vec<u8>)> =
        files.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    let modules = [&MODULES[..], &["virtio_blk"]].concat();
    let ran = Stage::new()
        .bytes("init.cpio", guest::with_files(Series::V6_12, &modules, &files, SCRIPT))
        .bytes("image", fs::read(&image).expect("the image"))
        .bytes("sync", disk.clone())
        .bytes("uring", disk)
        .boot(
            "direct",
            "--kernel kernels/6.12/vmlinux --initrd init.cpio --memory 128M --cmdline quiet --pmem path=image \
             --disk path=sync,engine=sync --disk path=uring,engine=io_uring",
        )
        .fetch("image")
        .fetch("sync")
        .fetch("uring")
        .run();
    let guest = ran.guest("direct").ended_well();
    assert!(guest.console.contains("dax=always"), "{guest}");
    assert!(guest.console.contains("vda done\n") && guest.console.contains("vdb done\n"), "{guest}");
    assert_eq!(guest.messages, "", "{guest}");
    fs::write(&image, ran.file("image")).expect("written");
    ext4::assert_clean(&image);
    for (name, disk) in [("sync", "vda"), ("uring", "vdb")] {
        assert!(ext4::content(&image, &format!("/{disk}")) == content, "{disk} was read into the wrong place");
        assert!(ran.file(name) == content.repeat(2), "{disk} was written from the wrong place");
    }
}
