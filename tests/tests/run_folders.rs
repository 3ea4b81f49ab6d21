//! The folders that an image brings along, in the lab, as a plain user: its own `/run` and `/tmp` with owners and permissions, and
//! an `/etc` that is a symbolic link.

use std::fs;

use illico_image::tar::testkit::{Archive, Raw};
use illico_tests::user::{became, case, is, stage};
use xtask::packages;

const PASSWD: &[u8] = b"root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n";

/// Busybox, and nothing else.
fn bare() -> Archive {
    let busybox = packages::static_busybox().unwrap_or_else(|error| panic!("{error}"));
    let program = Raw { mode: 0o755, ..Raw::new(b'0', b"bin/busybox") };
    let bare = Archive::new().directory("bin").raw(program, &fs::read(busybox).expect("busybox can be read"));
    ["cat", "id", "ls", "sh"].iter().fold(bare, |bare, name| bare.symlink(&format!("bin/{name}"), "busybox"))
}

/// An image with folders for its daemons, as Debian's packages make them.
fn daemons() -> Vec<u8> {
    let folder = |name: &str, mode, id| Raw { mode, uid: id, gid: id, ..Raw::new(b'5', name.as_bytes()) };
    bare()
        .directory("etc")
        .file("etc/passwd", PASSWD)
        .directory("run")
        .raw(folder("run/mysqld", 0o755, 33), b"")
        .raw(folder("run/sshd", 0o710, 0), b"")
        .directory("var")
        .symlink("var/run", "/run")
        .raw(folder("tmp", 0o1777, 0), b"")
        .file("tmp/kept", b"kept\n")
        .end()
}

/// An image as Nix makes them: /etc leads into the store, by an absolute name.
fn nix() -> Vec<u8> {
    bare()
        .symlink("etc", "/nix/etc")
        .directory("nix")
        .directory("nix/1-etc")
        .symlink("nix/etc", "../nix/1-etc")
        .file("nix/1-etc/passwd", PASSWD)
        .file("nix/1-etc/motd", b"from the store\n")
        .symlink("nix/1-etc/resolv.conf", "/run/missing")
        .end()
}

/// /etc leads to a place that is not there yet, seemingly above the root.
fn dangling() -> Vec<u8> {
    bare().symlink("etc", "../../../nosuch/etc").end()
}

#[test]
fn folders_of_an_image_are_there_and_writable_by_their_owner() {
    let cases = [
        (
            "daemons",
            "run -u www ./daemons.tar sh -c 'for f in /run/mysqld /run/sshd /tmp; do set -- $(ls -ldn $f); echo $1 $3 $4; done;
             echo 17 >/var/run/mysqld/pid && cat /run/mysqld/pid /tmp/kept;
             echo x >/tmp/x && echo x >/dev/shm/x && ls -A /run /tmp'",
            is(
                0,
                "drwxr-xr-x 33 33\ndrwx--x--- 0 0\ndrwxrwxrwt 0 0\n17\nkept\n/run:\nmysqld\nsshd\n\n/tmp:\nkept\nx\n",
                "",
            ),
        ),
        (
            "nix",
            "run --name nixed -u www ./nix.tar sh -c 'id -un; cat /etc/motd /nix/1-etc/hostname /etc/resolv.conf; ls /etc/'",
            is(
                0,
                "www\nfrom the store\nnixed\nhostname\nhosts\nmotd\npasswd\nresolv.conf\n",
                "",
            ),
        ),
        (
            "dangling",
            "run --name new ./dangling.tar sh -c 'cat /nosuch/etc/hostname; ls /'",
            is(0, "new\nbin\ndev\netc\nnosuch\nproc\nrun\nsys\ntmp\n", ""),
        ),
    ];
    let mut stage = stage();
    for (name, bytes) in [("daemons.tar", daemons()), ("nix.tar", nix()), ("dangling.tar", dangling())] {
        stage = stage.bytes(name, bytes).script(&format!("mv {name} /home/user/"));
    }
    let ran = cases.iter().fold(stage, |stage, (name, commands, _)| case(stage, name, commands)).run();
    for (name, _, expected) in cases {
        assert_eq!(became(&ran, name), expected, "{name}");
    }
}
