//! A small image for guests: busybox, and a configuration that asks for something in every field.

use std::fs;
use std::path::Path;
use std::process::Command;

use illico_image::tar::testkit::{Archive, Raw};
use illico_image::testkit::Parts;
use serde_json::json;
use xtask::packages;

const PROGRAMS: [&str; 18] = [
    "cat", "chmod", "dd", "grep", "head", "id", "ls", "mkdir", "mount", "rm", "sed", "seq", "sh", "sleep", "sync",
    "tar", "true", "wc",
];

/// What its command prints, if nobody asks for another.
pub const SAYS: &str =
    "www 33 33\n/srv\nhello from upper\nabsolute group hostname hosts issue passwd resolv.conf same\n";

/// Busybox, and files to be hidden and replaced.
fn lower() -> Archive {
    let busybox = packages::static_busybox().unwrap_or_else(|error| panic!("{error}"));
    let busybox = fs::read(busybox).expect("busybox can be read");
    let program = Raw { mode: 0o755, ..Raw::new(b'0', b"bin/busybox") };
    let mut lower = Archive::new().directory("bin").raw(program, &busybox);
    for name in PROGRAMS {
        lower = lower.symlink(&format!("bin/{name}"), "busybox");
    }
    lower = lower.directory("etc").file("etc/passwd", b"root:x:0:0::/:/bin/sh\nwww:x:33:33::/srv:/bin/sh\n");
    lower = lower.file("etc/group", b"root:x:0:\nwww:x:33:\n").file("etc/issue", b"lower").file("etc/gone", b"");
    lower.directory("srv").directory("tmp").directory("opt").file("opt/gone", b"")
}

/// Hides and replaces them.
fn upper() -> Archive {
    let upper = Archive::new().file("etc/issue", b"upper").file("etc/.wh.gone", b"").file("opt/.wh..wh..opq", b"");
    upper.link("etc/same", "etc/issue").symlink("etc/absolute", "/etc/issue")
}

/// The image.
pub fn parts() -> Parts {
    let mut parts = Parts::new(&[lower().end(), upper().end()]);
    parts.configuration["config"] = json!({
        "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["echo $(id -un) $(id -u) $(id -g); pwd; echo $GREETING from $(cat /etc/absolute); echo $(ls /opt) $(ls /etc)"],
        "Env": ["PATH=/bin", "GREETING=hello"],
        "User": "www",
        "WorkingDir": "/srv",
        "StopSignal": "SIGINT",
    });
    parts
}

/// Its files as they are in the end, without a configuration.
pub fn root() -> Vec<u8> {
    lower().end()
}

/// The same with a file `/data` of so many bytes.
pub fn with_data(bytes: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    lower().file("data", &data).end()
}

/// A file system of that root, made by another program.
pub fn file_system(folder: &Path, kind: &str) -> Vec<u8> {
    let (rootfs, image) = (folder.join("rootfs"), folder.join(kind));
    if !rootfs.exists() {
        fs::create_dir(&rootfs).expect("a folder");
        fs::write(folder.join("root.tar"), root()).expect("written");
        run(Command::new("tar").arg("-xf").arg(folder.join("root.tar")).arg("-C").arg(&rootfs));
    }
    let (program, package) = match kind {
        "erofs" => ("mkfs.erofs", "erofs-utils"),
        "squashfs" => ("mksquashfs", "squashfs-tools"),
        _ => ("mkfs.ext4", "e2fsprogs"),
    };
    packages::require(&[(program, package)]).unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(packages::find_program(program).unwrap_or_else(|| program.into()));
    match kind {
        "erofs" => command.arg(&image).arg(&rootfs),
        "squashfs" => command.arg(&rootfs).arg(&image).args(["-all-root", "-quiet", "-no-progress"]),
        _ => command.args(["-q", "-F", "-d"]).arg(&rootfs).arg(&image).arg("16M"),
    };
    run(&mut command);
    fs::read(image).expect("the image")
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {done:?}");
}
