//! What a guest writes to a disk is on the host: by every engine and transport, discarded where it said so, and never
//! with a success for what failed.

use std::fs;
use std::path::PathBuf;

use illico_tests::{Stage, ext4, guest};
use xtask::Series;

/// What the guests write: 600 KB in which no two blocks are the same.
fn lines() -> Vec<u8> {
    (1..=100_000).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
}

fn initrd(script: &str) -> Vec<u8> {
    guest::scripted(Series::V6_12, &["virtio_blk", "ext4"], script)
}

const GUEST: &str = "--kernel kernels/6.12/vmlinux --memory 128M --cmdline quiet";

#[test]
fn a_file_system_that_a_guest_wrote_is_clean_on_the_host() {
    const WRITE: &str = "
        echo serial $(cat /sys/block/vda/serial), queues $(ls /sys/block/vda/mq | wc -l)
        mount -t ext4 /dev/vda /mnt && seq 1 100000 >/mnt/file && sync && umount /mnt && echo written";
    const READ: &str = "
        mount -t ext4 /dev/vda /mnt
        grep /mnt /proc/mounts
        touch /mnt/new || echo refused a file
        dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync,notrunc 2>/dev/null || echo refused a block
        umount /mnt";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let image = |name: &str| -> PathBuf { folder.path().join(name) };
    for name in ["uring", "sync", "mmio", "file", "locked"] {
        ext4::make(&image(name), 16, 1024);
    }
    let locked = fs::read(image("locked")).expect("the image");
    let two = format!("{GUEST} --initrd write.cpio --cpus 2");
    let ran = Stage::new()
        .bytes("write.cpio", initrd(WRITE))
        .bytes("read.cpio", initrd(READ))
        .bytes("file.img", fs::read(image("file")).expect("the image"))
        .disk("uring", image("uring"))
        .disk("sync", image("sync"))
        .disk("mmio", image("mmio"))
        .disk("locked", image("locked"))
        .boot("uring", &format!("{two} --disk path=disk/uring,engine=io_uring,queues=2,id=A-name"))
        .boot("sync", &format!("{two} --disk path=disk/sync,engine=sync,queues=2,id=A-name"))
        .boot("mmio", &format!("{two} --disk path=disk/mmio,engine=io_uring,queues=2,id=A-name --transport mmio"))
        .boot("file", &format!("{two} --disk path=file.img,engine=io_uring,queues=2,id=A-name"))
        .boot("locked", &format!("{GUEST} --initrd read.cpio --disk path=disk/locked,readonly"))
        .fetch("file.img")
        .run();
    fs::write(image("file"), ran.file("file.img")).expect("written");
    for name in ["uring", "sync", "mmio", "file"] {
        let guest = ran.guest(name).ended_well();
        assert!(guest.console.contains("serial A-name, queues 2\n"), "{guest}");
        assert!(guest.console.contains("written\n"), "{guest}");
        assert_eq!(guest.messages, "", "{guest}");
        ext4::assert_clean(&image(name));
        assert!(ext4::content(&image(name), "/file") == lines(), "{name}: the file has other bytes");
    }

    let guest = ran.guest("locked").ended_well();
    assert!(guest.console.contains("/dev/vda /mnt ext4 ro,"), "{guest}");
    assert!(guest.console.contains("refused a file\n") && guest.console.contains("refused a block\n"), "{guest}");
    assert!(fs::read(image("locked")).expect("the image") == locked, "a read-only image has changed");
}

#[test]
fn what_a_guest_discards_is_given_back_to_the_host() {
    const DISCARD: &str = "
        dd if=/dev/urandom of=/dev/vda bs=1M count=8 conv=fsync,notrunc 2>/dev/null && echo written
        blkdiscard -o 2097152 -l 4194304 /dev/vda && echo discarded
        left() { dd if=/dev/vda bs=1M skip=$1 count=$2 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c; }
        echo left $(left 2 4)
        test $(left 0 2) -gt 2000000 && test $(left 6 2) -gt 2000000 && echo the rest is there";
    let options = format!("{GUEST} --initrd discard.cpio");
    let ran = Stage::new()
        .bytes("discard.cpio", initrd(DISCARD))
        .script("mkdir room && mount -t tmpfs none room && truncate -s 16M room/sync room/uring")
        .boot("sync", &format!("{options} --disk path=room/sync,engine=sync"))
        .boot("uring", &format!("{options} --disk path=room/uring,engine=io_uring"))
        .script("stat -c '%n has %b blocks' room/sync room/uring; umount room")
        .run();
    for name in ["sync", "uring"] {
        let guest = ran.guest(name).ended_well();
        assert!(guest.console.contains("written\ndiscarded\nleft 0\nthe rest is there\n"), "{guest}");
        assert!(ran.output.contains(&format!("room/{name} has 8192 blocks\n")), "{}", ran.output);
    }
}

#[test]
fn a_write_that_the_host_cannot_carry_out_fails_in_the_guest_and_harms_nothing_else() {
    const FILL: &str = "
        seq 1 100000 >/tmp/lines
        dd if=/tmp/lines of=/dev/vda bs=4k count=100 conv=fsync,notrunc 2>/dev/null && echo written
        dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=8 conv=fsync,notrunc 2>/dev/null || echo refused
        dd if=/dev/vda bs=4k count=100 iflag=direct 2>/dev/null | cmp -n 409600 /tmp/lines - && echo still there";
    let options = format!("{GUEST} --initrd fill.cpio");
    let mut stage = Stage::new().bytes("fill.cpio", initrd(FILL));
    for engine in ["sync", "io_uring"] {
        // The image says 16 MiB; there is room for 4.
        stage = stage
            .script("mkdir -p room && mount -t tmpfs -o size=4m none room && truncate -s 16M room/disk")
            .boot(engine, &format!("{options} --disk path=room/disk,engine={engine},id=cramped"))
            .script(&format!("head -c 409600 room/disk >{engine}.begin; umount room"))
            .fetch(&format!("{engine}.begin"));
    }
    let ran = stage.run();
    for engine in ["sync", "io_uring"] {
        let guest = ran.guest(engine).ended_well();
        for word in ["written\n", "refused\n", "still there\n"] {
            assert!(guest.console.contains(word), "{guest}");
        }
        assert!(guest.messages.contains("illico: cramped: writing "), "{guest}");
        assert!(guest.messages.contains("No space left on device"), "{guest}");
        assert!(ran.file(&format!("{engine}.begin")) == lines().get(..409_600).expect("600 KB"), "{guest}");
    }
}
