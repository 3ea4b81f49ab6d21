//! The lab's initramfs: busybox, PID 1, the modules that reach the shelf, and the files of this run.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Content, Lab, read, shelf};
use crate::cpio::{Archive, Node};
use crate::error::output_of;
use crate::guest::{self, End};
use crate::{Error, Kernel, packages, programs};

/// What the lab needs before it can read its shelf. (PCI, virtio and ext4 are built into 6.12.)
const BOOT_MODULES: [&str; 1] = ["virtio_blk"];
/// Loaded from the shelf in every run.
const MODULES: [&str; 1] = ["kvm_amd"];

const INIT: &[u8] = include_bytes!("init.sh");
const START: &[u8] = include_bytes!("start.sh");
const COUNT_EXITS: &[u8] = include_bytes!("count-exits.sh");

/// The archive for one run. `marker` ends the command's output.
pub(super) fn build(lab: &Lab, kernel: &Kernel, marker: &[u8]) -> Result<Vec<u8>, Error> {
    let mut archive = Archive::new();
    for folder in ["proc", "sys", "dev", "run", "mnt", "shelf", "lib", "etc"] {
        archive.folder(folder, 0o755);
    }
    archive.folder("tmp", 0o1777).folder("root", 0o700);
    archive.node("dev/console", 0o600, Node::Character, (5, 1)).node("dev/null", 0o666, Node::Character, (1, 3));
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    archive.file("etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n");
    busybox(&mut archive)?;
    for (path, target) in shelf::LINKS {
        archive.symlink(path, target);
    }

    let mut boot_modules = String::new();
    for file in kernel.modules()?.load_order(BOOT_MODULES)? {
        let path = format!("/lab/{}", file.file_name().unwrap_or_default().to_string_lossy());
        archive.file(&path, 0o644, &read(&file)?);
        boot_modules.push_str(&path);
        boot_modules.push('\n');
    }
    // A wrong name shall be an error here, not a line on the lab's console.
    kernel.modules()?.load_order(&lab.modules)?;
    let modules: Vec<&str> = MODULES.into_iter().chain(lab.modules.iter().map(String::as_str)).collect();
    let fetch: String = lab.fetch.iter().map(|path| format!("{path}\n")).collect();
    let mut command = b"#!/bin/sh\n".to_vec();
    command.extend_from_slice(&lab.command);
    archive
        .file("init", 0o755, INIT)
        .file("lab/start", 0o755, START)
        .file("lab/command", 0o755, &command)
        .file("lab/boot-modules", 0o644, boot_modules.as_bytes())
        .file("lab/modules", 0o644, modules.join("\n").as_bytes())
        .file("lab/fetch", 0o644, fetch.as_bytes())
        .file("lab/marker", 0o644, marker)
        .file("bin/count-exits", 0o755, COUNT_EXITS);

    // What a boot costs without user space: wanted at hand, and a few hundred bytes each.
    archive.file("guests/reboot.cpio", 0o644, &guest::ends_at_once(End::Reboot));
    archive.file("guests/poweroff.cpio", 0o644, &guest::ends_at_once(End::PowerOff));

    let mut libraries = BTreeSet::new();
    for (path, content) in &lab.files {
        match content {
            Content::Bytes { permissions, bytes } => archive.file(path, *permissions, bytes),
            Content::Host(host) => {
                libraries.extend(programs::libraries(host)?);
                archive.file(path, permissions(host)?, &read(host)?)
            }
        };
    }
    for library in libraries {
        archive.file(library.as_os_str().as_bytes(), 0o755, &read(&library)?);
    }
    Ok(archive.finish())
}

/// busybox and a link for each of its programs.
fn busybox(archive: &mut Archive) -> Result<(), Error> {
    let program = packages::static_busybox()?;
    archive.file("bin/busybox", 0o755, &read(&program)?);
    let list = output_of(std::process::Command::new(&program).arg("--list-full"))?;
    for path in String::from_utf8_lossy(&list).lines().filter(|path| *path != "bin/busybox") {
        archive.symlink(path, "/bin/busybox");
    }
    Ok(())
}

fn permissions(path: &Path) -> Result<u32, Error> {
    let metadata = std::fs::metadata(path).map_err(Error::file("read", path))?;
    Ok(metadata.permissions().mode() & 0o7777)
}
