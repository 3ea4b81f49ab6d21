//! `illico run` on images, in the lab, as a plain user without capabilities: from wherever they come, as their configuration
//! asks, and what is said of one that cannot be had.

use std::fs;
use std::path::Path;
use std::process::Command;

use illico_image::Digest;
use illico_image::tar::testkit::Archive;
use illico_tests::registry::{self, Registry};
use illico_tests::user::{Case, became, case, is, online, stage};
use illico_tests::{Ran, Stage, guest, image};
use xtask::{Series, packages};

/// Name, commands, and what is expected of them.
type Expected<'a> = (&'a str, &'a str, Case);

fn with<'a>(stage: Stage, cases: &[Expected<'a>]) -> Stage {
    cases.iter().fold(stage, |stage, (name, commands, _)| case(stage, name, commands))
}

fn check(ran: &Ran, cases: &[Expected<'_>]) {
    let wrong = cases.iter().map(|(name, _, expected)| (name, expected, became(ran, name)));
    let wrong: Vec<_> = wrong.filter(|(_, expected, became)| *expected != became).collect();
    assert!(wrong.is_empty(), "name, what was expected, what became of it: {wrong:#?}\n{}", ran.output);
}

/// A folder of this host as a tar.
fn packed(folder: &Path) -> Vec<u8> {
    let done = Command::new("tar").arg("-C").arg(folder).args(["-cf", "-", "."]).output().expect("tar");
    assert!(done.status.success(), "{done:?}");
    done.stdout
}

/// Each place that an image can be in, for the user of the lab, whose registry has what another program pushed.
#[test]
fn an_image_runs_from_wherever_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let parts = image::parts();
    parts.write_layout(&at("layout"), "latest");
    let mut foreign = parts;
    foreign.configuration["architecture"] = "arm64".into();
    foreign.write_layout(&at("foreign"), "latest");
    let host = Registry::start(folder.path());
    host.push(&at("layout"), "room/hello:1");
    host.push(&at("foreign"), "room/hello:arm");
    drop(host);
    registry::copy(&at("layout"), &format!("docker-archive:{}:hello:1", at("docker.tar").display()));
    registry::copy(&at("layout"), &format!("oci-archive:{}:hello:1", at("oci.tar").display()));

    let nothing = Digest::of(b"nothing");
    let wrong_digest = format!("run 127.0.0.1:5000/room/hello@{nothing}");
    let no_such = |name: &str| {
        format!("illico: '127.0.0.1:5000/room/hello{name}': the registry '127.0.0.1:5000' has no such image\n")
    };
    let (no_tag, no_digest) = (no_such(":2"), no_such(&format!("@{nothing}")));
    let says = || is(0, image::SAYS, "");
    let look = |image: &str| {
        let look =
            "cat /etc/issue; echo; echo $(id -u) $(id -g); echo x >/new; rm /bin/cat; echo $(ls -d /bin /new /srv)";
        format!("run ./{image} -- /bin/sh -c '{look}'")
    };
    let looks = ["root.tar", "rootfs", "root.erofs", "root.squashfs", "root.ext4"].map(|name| (name, look(name)));
    let with_registry = [
        ("registry", "run 127.0.0.1:5000/room/hello:1", says()),
        ("unknown", "run 127.0.0.1:5000/room/hello:2", is(125, "", &no_tag)),
        ("digest", &wrong_digest, is(125, "", &no_digest)),
        (
            "foreign",
            "run 127.0.0.1:5000/room/hello:arm 2>&1 | sed 's/.*: it is for/it is for/'",
            is(0, "it is for linux/arm64, and this machine is linux/amd64\n", ""),
        ),
    ];
    let mut without = vec![
        // The store has it, and nobody is asked.
        ("again", "run 127.0.0.1:5000/room/hello:1", says()),
        (
            "down",
            "run 127.0.0.1:5000/room/hello:3 2>&1 | grep -c 'Connection refused'; illico images --quiet | wc -l",
            is(0, "1\n1\n", ""),
        ),
        ("docker-save", "run ./docker.tar", says()),
        ("oci-archive", "run ./oci.tar:hello:1", says()),
        ("layout", "mkdir layout; tar -C layout -xf layout.tar; run ./layout", says()),
        ("unpack", "mkdir rootfs; tar -C rootfs -xf root.tar", is(0, "", "")),
    ];
    for (name, commands) in &looks {
        without.push((name, commands, is(0, "lower\n0 0\n/bin /new /srv\n", "")));
    }
    // What one machine has written the next one does not see.
    without.push(("unchanged", "run ./root.tar sh -c 'cat /etc/issue; ls /new 2>/dev/null'", is(1, "lower", "")));
    // Images of one configuration are one. (A folder and a tar have none, and other times.)
    let left = "illico images --quiet | wc -l; ls .local/share/illico/images | grep -c part; illico ps --all --quiet";
    without.push(("left", left, is(0, "3\n0\n", "")));
    let program = packages::find_program("docker-registry").expect("installed");
    let mut stage = stage().program(program).bytes("storage.tar", packed(&at("storage")));
    for (name, bytes) in [
        ("docker.tar", fs::read(at("docker.tar")).expect("an archive")),
        ("oci.tar", fs::read(at("oci.tar")).expect("an archive")),
        ("layout.tar", packed(&at("layout"))),
        ("root.tar", image::root()),
        ("root.erofs", image::file_system(folder.path(), "erofs")),
        ("root.squashfs", image::file_system(folder.path(), "squashfs")),
        ("root.ext4", image::file_system(folder.path(), "ext4")),
    ] {
        stage = stage.bytes(name, bytes).script(&format!("mv {name} /home/user/"));
    }
    stage = stage.bytes("registry.yml", registry::configuration("/root/storage", 5000)).script(
        "mkdir storage && tar -C storage -xf storage.tar
         ./docker-registry serve registry.yml >registry.log 2>&1 & registry=$!
         until wget -q -O /dev/null http://127.0.0.1:5000/v2/; do sleep 0.2; done",
    );
    stage = with(stage, &with_registry);
    stage = with(stage.script("kill $registry; wait $registry"), &without);
    let ran = stage.run();
    check(&ran, &[with_registry.as_slice(), &without].concat());
}

/// Another kernel with the modules that a guest needs of it, beside it, as a tar.
fn kernel_with_modules(series: Series) -> Vec<u8> {
    let kernel = guest::kernel(series);
    let folder = kernel.modules_folder();
    let tree = kernel.modules().unwrap_or_else(|error| panic!("{error}"));
    let names =
        ["virtio_pci", "virtio_console", "vmw_vsock_virtio_transport", "overlay", "virtio_pmem", "nd_pmem", "erofs"];
    let mut files = tree.load_order(names).unwrap_or_else(|error| panic!("{error}"));
    files.extend(["modules.dep", "modules.builtin", "modules.softdep"].map(|index| folder.join(index)));
    let archive = files.iter().fold(Archive::new(), |archive, path| {
        let name = path.strip_prefix(&folder).expect("it is in the folder").display().to_string();
        archive.file(&format!("modules/{name}"), &fs::read(path).expect("a module"))
    });
    archive.symlink("vmlinux", &format!("/kernels/{}/vmlinux", series.name())).end()
}

#[test]
fn an_image_is_run_as_it_asks_unless_somebody_asks_for_more() {
    let cases = [
        (
            "asked",
            "run -e GREETING=you -w / -u 0 ./hello.tar 'echo $(id -u); pwd; echo $GREETING; echo err >&2; exit 7'",
            is(7, "0\n/\nyou\n", "err\n"),
        ),
        ("signal", "run ./hello.tar 'kill -9 $$'", is(137, "", "")),
        ("nothing", "run ./root.tar nosuch", is(127, "", "illico: nosuch: command not found\n")),
        ("no-program", "run ./root.tar /etc/passwd", is(126, "", "illico: /etc/passwd: Permission denied\n")),
        ("no-command", "run ./root.tar", is(125, "", "illico: the image names no command: give one behind it\n")),
        // Its stop signal, where a SIGTERM would do.
        (
            "stop",
            "run -d --name stop ./hello.tar 'trap \"echo heard; exit 3\" INT; echo ready; while :; do sleep 0.1; done'
             until illico logs stop | grep -q ready; do sleep 0.2; done
             illico stop stop >/dev/null; illico logs stop; illico wait stop; illico rm stop >/dev/null",
            is(0, "stop\nready\nheard\n3\n", ""),
        ),
        (
            "older",
            "mkdir 6.1; tar -C 6.1 -xf 6.1.tar
             illico run --net none --kernel 6.1/vmlinux -u 0 ./hello.tar 'ls /sys/block; echo x >/new; cat /new'",
            is(0, "pmem0\nx\n", ""),
        ),
        (
            "no-modules",
            "illico run --net none --kernel /kernels/6.1/vmlinux ./hello.tar 2>&1 | sed 's/kernel 6.1[^ ]*/a kernel/; s/, of which.*//'",
            is(
                0,
                "illico: the guest ended before its command: the guest powered off\nillico: a kernel was run without modules\n",
                "",
            ),
        ),
        // What is written is on a disk of the machine's own, which goes with it.
        (
            "scratch",
            "run -d --name s --scratch 64M ./root.tar \\
                 sh -c 'head -c 4000000 /dev/zero | tr \"\\0\" s >/new; sync; echo done; sleep 1000'
             until illico logs s | grep -q done; do sleep 0.2; done
             disk=$(find .local/state -name scratch.img); tr -cd s <$disk | head -c 4000000 | wc -c
             test $(du -k $disk | cut -f 1) -lt 16384 && echo sparse
             illico rm -f s >/dev/null; find .local/state -name scratch.img
             run --scratch 64M ./root.tar ls /sys/block; find .local/state -name scratch.img",
            is(0, "s\n4000000\nsparse\npmem0\nvda\n", ""),
        ),
        (
            "name",
            "run -d --name one ./root.tar sleep 1000; run --name one ./root.tar true; echo $?; illico rm -f one >/dev/null",
            is(
                0,
                "one\n125\n",
                "illico: --name: one is in use by a machine that runs; choose another name, or `illico rm -f one`\n",
            ),
        ),
        (
            "port",
            "nc -l -p 8099 127.0.0.1 >/dev/null & online -p 8099:80 ./root.tar true; echo $?; kill $!",
            is(
                0,
                "125\n",
                "illico: --net user: -p 8099:80: port 8099 of the host cannot be had: another program has it, or it is below 1024\n",
            ),
        ),
        (
            "no-file",
            "run ./nosuch.tar",
            is(125, "", "illico: cannot open './nosuch.tar': No such file or directory (os error 2)\n"),
        ),
        ("no-image", "run ./hello.txt 2>&1 | grep -c \"^illico: './hello.txt' is not an image: \"", is(0, "1\n", "")),
        (
            "escape",
            "illico images --quiet >before; run ./escape.tar true; echo $?; illico images --quiet | cmp - before; find /home /tmp -name escaped",
            is(0, "125\n", "illico: './escape.tar': entry '../escaped': its name has '..'\n"),
        ),
        (
            "full",
            "export XDG_DATA_HOME=/mnt; run ./root.tar true; echo $?; ls /mnt/illico/images",
            is(
                0,
                "125\n",
                "illico: './root.tar': entry 'bin/busybox': cannot write the image: No space left on device (os error 28)\n",
            ),
        ),
        (
            "left",
            "illico ps --all --quiet; ls .local/state/illico/vms; ls .local/share/illico/images | grep part",
            is(1, "", ""),
        ),
    ];
    let mkfs = packages::find_program("mkfs.ext4").expect("e2fsprogs");
    let mut stage = online().program(mkfs).script("mv mkfs.ext4 /bin; mount -t tmpfs -o size=1m,mode=777 tmpfs /mnt");
    for (name, bytes) in [
        ("hello.tar", image::parts().docker_archive("hello:1")),
        ("root.tar", image::root()),
        ("6.1.tar", kernel_with_modules(Series::V6_1)),
        ("escape.tar", Archive::new().file("../escaped", b"").end()),
        ("hello.txt", b"hello".to_vec()),
    ] {
        stage = stage.bytes(name, bytes).script(&format!("mv {name} /home/user/"));
    }
    let ran = with(stage, &cases).run();
    check(&ran, &cases);
}
