//! The root file system: what the host gives below, what catches writes above, and the step from the initramfs into it.
//!
//! With an overlay, all that PID 1 has to say in the root is put into the upper folder before it is mounted: files of
//! /etc, and folders to mount on, marked opaque so that the kernel does not look for them below. Each such look
//! would be a request to the host.
//!
//! An initramfs is no mount that pivot_root(2) could move away: the new root is moved over it, as switch_root(8) does.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use illico_protocol::{Root, RunSpec, Upper};
use rustix::fs::{XattrFlags, setxattr};
use rustix::mount::{MountFlags, mount_move};
use rustix::process::{chdir, chroot};

use crate::error::InitError;
use crate::setup::{Disks, etc, mounts};

const LOWER: &str = "/illico/lower";
const UPPER: &str = "/illico/upper";
const ROOT: &str = "/illico/root";

/// Folders whose content below is nobody's business in a guest. The last one is the scratch folder.
const OWN_FOLDERS: [(&str, u32); 5] =
    [("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("run", 0o755), ("tmp", 0o1777)];

/// Mounts the root, all that belongs into every root, and goes there.
pub(crate) fn enter(spec: &RunSpec) -> Result<Disks, InitError> {
    let mut disks = Disks::default();
    make(ROOT)?;
    match &spec.upper {
        Upper::ReadOnly => mount_below(&spec.root, ROOT, MountFlags::RDONLY)?,
        Upper::Writable => {
            mount_below(&spec.root, ROOT, MountFlags::empty())?;
            disks.add(ROOT);
        }
        upper => overlay(spec, upper, &mut disks)?,
    }
    let root = Path::new(ROOT);
    mounts::system(root)?;
    change_root(root)?;
    if matches!(spec.upper, Upper::ReadOnly | Upper::Writable) {
        show_etc(spec)?;
    }
    if spec.upper == Upper::ReadOnly {
        let _ = mounts::mount("tmpfs", "/tmp", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, "mode=1777");
    }
    Ok(disks)
}

fn mount_below(root: &Root, target: &str, flags: MountFlags) -> Result<(), InitError> {
    match root {
        Root::Share { tag } => mounts::mount(tag, target, "virtiofs", flags, ""),
        Root::Device { path, filesystem, options } => {
            wait_for(path)?;
            mounts::mount(path, target, filesystem, flags, options)
        }
    }
}

fn overlay(spec: &RunSpec, upper: &Upper, disks: &mut Disks) -> Result<(), InitError> {
    make(LOWER)?;
    make(UPPER)?;
    mount_below(&spec.root, LOWER, MountFlags::RDONLY)?;
    match upper {
        Upper::Device { path, filesystem } => {
            wait_for(path)?;
            mounts::mount(path, UPPER, filesystem, MountFlags::empty(), "")?;
            disks.add(UPPER);
        }
        Upper::Memory { bytes: Some(bytes) } => {
            mounts::mount("tmpfs", UPPER, "tmpfs", MountFlags::empty(), &format!("mode=755,size={bytes}"))?;
        }
        _ => mounts::mount("tmpfs", UPPER, "tmpfs", MountFlags::empty(), "mode=755")?,
    }
    let (files, work) = (format!("{UPPER}/files"), format!("{UPPER}/work"));
    make(&files)?;
    make(&work)?;
    // An image may have something in its /tmp that it needs; the host's is full of what is private.
    let hides_tmp = matches!(spec.root, Root::Share { .. });
    let count = if hides_tmp { OWN_FOLDERS.len() } else { OWN_FOLDERS.len() - 1 };
    for (name, permissions) in &OWN_FOLDERS[..count] {
        folder(&Path::new(&files).join(name), *permissions, true)?;
    }
    write_etc(Path::new(&files), spec)?;
    let options = format!("lowerdir={LOWER},upperdir={files},workdir={work}");
    mounts::mount("overlay", ROOT, "overlay", MountFlags::empty(), &options)?;
    if !hides_tmp {
        let (name, permissions) = OWN_FOLDERS[count];
        let _ = folder(&Path::new(ROOT).join(name), permissions, false);
    }
    Ok(())
}

/// A folder that may exist, and then stays as it is.
fn folder(path: &Path, permissions: u32, opaque: bool) -> Result<(), InitError> {
    let failed = |error| InitError::os("create", path.display())(error);
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(permissions)).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    if opaque {
        // Where the file system has no such attribute the kernel looks below, which is only slower.
        let _ = setxattr(path, "trusted.overlay.opaque", b"y", XattrFlags::empty());
    }
    Ok(())
}

/// Writes the files of /etc below `root`.
fn write_etc(root: &Path, spec: &RunSpec) -> Result<(), InitError> {
    let etc = root.join("etc");
    folder(&etc, 0o755, false)?;
    for (name, content) in etc::files(spec) {
        let path = etc.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, content).map_err(InitError::os("write", path.display()))?;
    }
    Ok(())
}

/// Shows the files of /etc in a root that must not be written to: over those that it has.
fn show_etc(spec: &RunSpec) -> Result<(), InitError> {
    let shelf = Path::new("/run/illico");
    make("/run/illico")?;
    for (name, content) in etc::files(spec) {
        let (file, target) = (shelf.join(name), Path::new("/etc").join(name));
        if target.is_file() {
            fs::write(&file, content).map_err(InitError::os("write", file.display()))?;
            mounts::bind(&file, &target)?;
        }
    }
    Ok(())
}

/// Block devices of some drivers appear a moment after their module is loaded.
fn wait_for(path: &str) -> Result<(), InitError> {
    const TRIES: u32 = 2000;
    for _ in 0..TRIES {
        if fs::exists(path).unwrap_or(false) {
            return Ok(());
        }
        sleep(Duration::from_millis(1));
    }
    Err(InitError::NoDevice(path.to_owned()))
}

fn change_root(root: &Path) -> Result<(), InitError> {
    let step = |action| InitError::os::<rustix::io::Errno>(action, root.display());
    chdir(root).map_err(step("enter"))?;
    mount_move(".", "/").map_err(step("move to the root"))?;
    chroot(".").map_err(step("make the root"))?;
    chdir("/").map_err(step("enter"))
}

fn make(path: &str) -> Result<(), InitError> {
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(InitError::os("create", path))
}
