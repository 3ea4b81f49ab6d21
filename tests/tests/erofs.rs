//! The file systems that illico writes, as real kernels read them: mapped from persistent memory with DAX, and from a disk.

use std::fs;

use illico_image::tar::testkit::{Archive, Raw};
use illico_image::{Digest, ImageSource, Store, unwatched};
use illico_tests::{Stage, guest};
use xtask::Series;

/// Sizes around the end of a block, and of a huge page.
const SIZES: [usize; 7] = [0, 1, 4095, 4096, 4097, 100_000, (3 << 20) + 5];

/// Looks at everything in a file system on /mnt.
const LOOK: &str = "
    cd /mnt
    find . -type f ! -path './many/*' | sort | while read file; do sha256sum $file; done
    ls many | wc -l; ls many | sort | sha256sum
    readlink link; readlink long | wc -c; cat link
    stat -c '%n %a %u:%g %h %s %Y' . suid sized/4096 hard dir
    stat -c '%n %F %t:%T %a' null disk pipe
    print-xattrs attributes
    [ sized/1 -ef hard ] && echo one inode
    cd /";

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A tar with everything that a root file system can have.
fn archive() -> Vec<u8> {
    let mut archive = Archive::new().raw(Raw { mode: 0o751, ..Raw::new(b'5', b"./") }, b"");
    for size in SIZES {
        let file =
            Raw { uid: 70_000, gid: 5, mtime: 1_000_000_007, ..Raw::new(b'0', format!("sized/{size}").as_bytes()) };
        archive = archive.raw(file, &content(size));
    }
    for number in 0..500 {
        archive = archive.file(&format!("many/{number:0200}"), b"");
    }
    archive = archive.directory("dir").directory("dir/a").directory("dir/b").link("hard", "sized/1");
    archive = archive.symlink("link", "sized/1").symlink("long", &"x".repeat(99));
    archive = archive.raw(Raw { mode: 0o4755, ..Raw::new(b'0', b"suid") }, b"#!");
    archive = archive.raw(Raw { major: 1, minor: 3, mode: 0o666, ..Raw::new(b'3', b"null") }, b"");
    archive = archive.raw(Raw { major: 259, minor: 300, mode: 0o660, ..Raw::new(b'4', b"disk") }, b"");
    archive = archive.raw(Raw { mode: 0o600, ..Raw::new(b'6', b"pipe") }, b"");
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let large = vec![0xab; 5000];
    archive = archive.pax(&[
        (b"SCHILY.xattr.security.capability", &capability),
        (b"SCHILY.xattr.user.small", b"value"),
        (b"SCHILY.xattr.user.large", &large),
    ]);
    archive.file("attributes", b"").end()
}

/// What `LOOK` prints of it.
fn expected() -> Vec<String> {
    let mut files: Vec<(String, Vec<u8>)> = SIZES.map(|size| (format!("./sized/{size}"), content(size))).into();
    files.extend([
        ("./hard".to_owned(), content(1)),
        ("./suid".to_owned(), b"#!".to_vec()),
        ("./attributes".to_owned(), vec![]),
    ]);
    files.sort();
    let mut lines: Vec<String> =
        files.iter().map(|(name, content)| format!("{}  {name}", Digest::of(content).hex())).collect();
    let many: String = (0..500).map(|number| format!("{number:0200}\n")).collect();
    lines.extend(["500".to_owned(), format!("{}  -", Digest::of(many.as_bytes()).hex()), "sized/1".to_owned()]);
    lines.extend([
        ". 751 0:0 5 ".to_owned(),
        "suid 4755 0:0 1 2 0".to_owned(),
        "sized/4096 644 70000:5 1 4096 1000000007".to_owned(),
        "hard 644 70000:5 2 1 1000000007".to_owned(),
        "dir 755 0:0 4 ".to_owned(),
        "null character special file 1:3 666".to_owned(),
        "disk block special file 103:12c 660".to_owned(),
        "pipe fifo 0:0 600".to_owned(),
        "security.capability=0100000200040000000000000000000000000000".to_owned(),
        format!("user.large={}", "ab".repeat(5000)),
        "user.small=76616c7565".to_owned(),
        "one inode".to_owned(),
    ]);
    lines
}

#[test]
fn real_kernels_read_what_illico_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tar = folder.path().join("rootfs.tar");
    fs::write(&tar, archive()).expect("written");
    let store = Store::open(&folder.path().join("images")).expect("a store");
    let image = store.import(&ImageSource::Tar { path: tar, name: None }, &mut unwatched).expect("an image");
    let bytes = fs::read(image.root.path).expect("the image");

    let program = |name: &str| guest::program(name.as_ref());
    let files = [program(env!("CARGO_BIN_EXE_print-xattrs")), program(env!("CARGO_BIN_EXE_guest-reads"))].concat();
    let files: Vec<(&str, u32, Vec<u8>)> =
        files.iter().map(|(path, mode, bytes)| (path.as_str(), *mode, bytes.clone())).collect();
    let mapped = format!(
        "mount -t erofs -o ro,dax=always /dev/pmem0 /mnt && grep /mnt /proc/mounts {LOOK}
         guest-reads mapped /mnt/sized/3145733 100000 && echo mapped"
    );
    let on_disk = format!("mount -t erofs -o ro /dev/vda /mnt && grep /mnt /proc/mounts {LOOK}");
    let pmem = ["virtio_pmem", "nd_virtio", "nd_pmem", "erofs"];
    let ran = Stage::new()
        .bytes("mapped.cpio", guest::with_files(Series::V6_12, &pmem, &files, &mapped))
        .bytes("disk.cpio", guest::with_files(Series::V6_1, &["virtio_blk", "erofs"], &files, &on_disk))
        .bytes("image", bytes)
        .boot(
            "mapped",
            "--kernel kernels/6.12/vmlinux --initrd mapped.cpio --memory 192M --cmdline quiet --pmem path=image,readonly",
        )
        .boot(
            "disk",
            "--kernel kernels/6.1/vmlinux --initrd disk.cpio --memory 192M --cmdline quiet --disk path=image,readonly",
        )
        .run();

    let mapped = ran.guest("mapped").ended_well();
    assert!(mapped.console.contains("dax=always"), "{mapped}");
    assert!(mapped.console.contains("mapped\n"), "{mapped}");
    // Nobody asks the device to read the 800 pages, the guest's CPU does; what is asked is to flush, at the unmount.
    let kicks = mapped.queue("pmem0", 0, "kicks");
    assert!(kicks < 10, "{kicks} kicks\n{mapped}");
    let disk = ran.guest("disk").ended_well();
    assert!(disk.queue("disk0", 0, "requests") > 0, "{disk}");
    for guest in [mapped, disk] {
        for line in expected() {
            assert!(guest.console.contains(&line), "no line '{line}'\n{guest}");
        }
    }
}
