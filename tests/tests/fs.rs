//! Folders of the host in a guest, over virtio-fs: what is read, written and run there, and what a guest's root gets
//! nowhere with. illico runs as root for one guest and as a user without any capability for the other.

use illico_tests::{Stage, guest};
use xtask::Series;

const BOOT: &str = "--kernel kernels/6.12/vmlinux --memory 256M --cmdline quiet";

/// In a folder of a user, writable.
const WRITE: &str = r#"
    echo "the guest's own" >/tmp/secret
    mkdir /mnt/home && mount -t virtiofs home /mnt/home && cd /mnt/home
    says() { echo "$1: $(eval "$2" 2>&1)"; }
    says owner 'stat -c %u:%g:%a .'
    mkdir many && for n in $(seq 1000); do echo $n >many/$n; done
    says made 'ls many | wc -l'
    mkdir moved && mv many/* moved
    says moved 'ls many | wc -l; ls moved | wc -l; cat moved/* | sort -n >/tmp/sorted; seq 1000 | cmp - /tmp/sorted && echo all'
    tar cf archive moved/?? moved/? && cat moved/? moved/?? >check && mkdir out && (cd out && tar xof ../archive) && says unpacked '(cd out && cat moved/? moved/?? | cmp - ../check); ls out/moved | wc -l'
    rm -r out archive check && rmdir many && says removed 'ls'
    sha256sum big | head -c 64 >sum-of-big
    cat big big >written && sha256sum written | head -c 64 >sum-of-written
    turn-over to-turn && cp /bin/busybox busybox && says ran './busybox echo yes'
    says link 'cat planted'
    ln -s /tmp/secret evil && says 'link of mine' 'cat evil'
    says above 'cat /mnt/home/../../tmp/secret'
    says device 'mknod device c 1 3'
    says fifo 'mkfifo fifo && (echo through >fifo & cat fifo) && rm fifo'
    says setuid 'chmod 6755 busybox && stat -c %a busybox'
    says 'to myself' 'chown 0:0 busybox && echo done'
    says 'to another' 'chown 5:5 busybox'
    says 'unreadable' 'cat of-root/private'
    says 'unwritable' 'echo x >>of-root/public'
    says 'unremovable' 'rm -f of-root/public'
    says 'shown' 'stat -c %u of-root'
    cd / && umount /mnt/home && echo unmounted"#;

/// In a folder of root, readonly.
const READ: &str = r#"
    mkdir /src && mount -t virtiofs src /src
    says() { echo "$1: $(eval "$2" 2>&1)"; }
    says read 'cat /src/folder/text; readlink /src/link; /src/busybox echo ran'
    says listed 'find /src | wc -l'
    says sum 'cmp /src/big /src/same && echo same'
    says write 'echo no >/src/new'
    says append 'echo no >>/src/folder/text'
    says remove 'rm -f /src/folder/text'
    says chmod 'chmod 777 /src/folder/text'
    says pseudo 'ls /src/sys | wc -l'
    umount /src && echo unmounted"#;

#[test]
fn guests_use_folders_and_get_no_further() {
    let files = guest::program(env!("CARGO_BIN_EXE_turn-over").as_ref());
    let files: Vec<(&str, u32, Vec<u8>)> =
        files.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    let ran = Stage::new()
        .bytes("write.cpio", guest::with_files(Series::V6_12, &[], &files, WRITE))
        .bytes("read.cpio", guest::scripted(Series::V6_12, &[], READ))
        .script(
            r"
            chmod 755 /root && chmod 666 /dev/kvm && echo 'the secret of the host' >/tmp/secret
            mkdir /tmp/home && cd /tmp/home && head -c 3000000 /dev/urandom >big && seq 100000 >to-turn
            ln -s /tmp/secret planted && chown -R 1000:1000 /tmp/home
            mkdir of-root && echo private >of-root/private && chmod 600 of-root/private && echo public >of-root/public
            echo user:x:1000:1000::/:/bin/sh >>/etc/passwd
            cd /root && touch write.json && chmod 666 write.json
            timeout -s KILL 150 start-stop-daemon -S -c 1000:1000 -x /bin/illico -- boot --exits-json write.json \
            --initrd write.cpio --kernel kernels/6.12/vmlinux --memory 256M --cmdline quiet \
            --fs path=/tmp/home,tag=home >write.console 2>write.messages
            echo $? >write.status
            cd /tmp/home
            sha256sum big | head -c 64 | cmp - sum-of-big && sha256sum written | head -c 64 | cmp - sum-of-written && echo 'same sums'
            cp to-turn /root/turned
            echo not of the user: $(find . ! -user 1000 | sort)
            echo lends rights: $(find . -perm -4000 -o -perm -2000)
            cat of-root/public
            cd /root
            ",
        )
        .guest("write")
        .fetch("turned")
        .script(
            "mkdir -p /tmp/src/folder /tmp/src/sys && echo hello >/tmp/src/folder/text && ln -s /etc/passwd /tmp/src/link
            mount -t sysfs sys /tmp/src/sys
            cp /bin/busybox /tmp/src/ && head -c 3000000 /dev/urandom >/tmp/src/big && cp /tmp/src/big /tmp/src/same",
        )
        .boot("read", &format!("{BOOT} --initrd read.cpio --fs path=/tmp/src,tag=src,readonly"))
        .script("cat /tmp/src/folder/text; ls /tmp/src")
        .run();
    let (write, read) = (ran.guest("write").ended_well(), ran.guest("read").ended_well());
    for lines in [
        "owner: 0:0:755\nmade: 1000\n",
        "moved: 0\n1000\nall\nunpacked: 99\n",
        "removed: big\nmoved\nof-root\nplanted\nto-turn\nran: yes\n",
        // A link is the guest's to follow, in its own tree.
        "link: the guest's own\nlink of mine: the guest's own\nabove: the guest's own\n",
        "device: mknod: device: Operation not permitted\nfifo: through\nsetuid: 755\n",
        "to myself: done\nto another: chown: busybox: Operation not permitted\n",
        "unreadable: cat: can't open 'of-root/private': Permission denied\n",
        "unwritable: /script: eval: line 6: can't create of-root/public: Permission denied\n",
        "unremovable: rm: can't remove 'of-root/public': Permission denied\nshown: 0\nunmounted\n",
    ] {
        assert!(write.console.contains(lines), "{write}\nwithout:\n{lines}");
    }
    let turned: Vec<u8> = (1..=100_000).map(|number| format!("{number}\n")).collect::<String>().into_bytes();
    assert!(turned.iter().rev().eq(ran.file("turned")), "the mapping was not written to the file");
    for lines in [
        "read: hello\n/etc/passwd\nran\nlisted: 8\nsum: same\n",
        "can't create /src/new: Read-only file system\n",
        "append: sh: write error: Read-only file system\n",
        "remove: rm: can't remove '/src/folder/text': Read-only file system\n",
        "chmod: chmod: /src/folder/text: Read-only file system\npseudo: 0\nunmounted\n",
    ] {
        assert!(read.console.contains(lines), "{read}\nwithout:\n{lines}");
    }
    let host = "same sums\nnot of the user: ./of-root ./of-root/private ./of-root/public\nlends rights:\npublic\n\
                hello\nbig\nbusybox\nfolder\nlink\nsame\nsys\n";
    assert_eq!(ran.output, host);
}
