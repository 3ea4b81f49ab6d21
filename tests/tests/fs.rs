//! Folders of the host in a guest, over virtio-fs: what is read, written and run there, and what is refused.

use illico_tests::{Stage, guest};
use xtask::Series;

const BOOT: &str = "--kernel kernels/6.12/vmlinux --initrd init.cpio --memory 256M --cmdline quiet";

#[test]
fn a_guest_reads_and_runs_what_is_in_a_readonly_folder() {
    const SCRIPT: &str = "
        mkdir /src && mount -t virtiofs -o ro src /src && ls -lR /src
        cat /src/folder/text && readlink /src/link && /src/busybox echo ran
        echo no >/src/new; sha256sum /src/big
        find /src | wc -l
        umount /src && echo unmounted";
    let ran = Stage::new()
        .bytes("init.cpio", guest::scripted(Series::V6_12, &[], SCRIPT))
        .script(
            "mkdir -p /tmp/src/folder && echo hello >/tmp/src/folder/text && ln -s /etc/passwd /tmp/src/link
            cp /bin/busybox /tmp/src/ && head -c 20000000 /dev/urandom >/tmp/src/big && sha256sum /tmp/src/big",
        )
        .boot("read", &format!("{BOOT} --fs path=/tmp/src,tag=src,readonly"))
        .run();
    let guest = ran.guest("read").ended_well();
    assert!(guest.says("hello") && guest.says("ran") && guest.says("unmounted"), "{guest}");
}
