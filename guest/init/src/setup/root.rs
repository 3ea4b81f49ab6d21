//! The root file system: what the host gives below, what catches writes above, and the step from the initramfs into it.
//!
//! An image is seen as it is: an overlay catches writes, so nothing is mounted over its `/run` and `/tmp`, and the files of /etc are
//! written once the root is entered, where a symbolic link named /etc leads to a place in that root.
//!
//! With the host's own root below, all of that is put into the upper folder before it is mounted, and the host's `/run` and
//! `/tmp` are hidden. Their folders are marked opaque so that the kernel does not look for them below: each such look
//! would be a request to the host.
//!
//! An initramfs is not a mount that pivot_root(2) could move away: the new root is moved over it, as switch_root(8) does.

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

/// Folders that programs find in every root, with the permissions of one that is made. An image's own stay as the image has them;
/// the host's own are hidden.
const FOLDERS: [(&str, u32); 5] = [("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("run", 0o755), ("tmp", 0o1777)];

/// Mounts the root, all that belongs into every root, and goes there.
pub(crate) fn enter(spec: &RunSpec) -> Result<Disks, InitError> {
    make(ROOT)?;
    let disks = mount_overlay(spec)?;
    change_root(Path::new(ROOT))?;
    if is_host(&spec.root) {
        return mounts::system().map(|()| disks);
    }
    for (name, permissions) in FOLDERS {
        let _ = folder(&Path::new("/").join(name), permissions, false);
    }
    mounts::system()?;
    write_etc(&etc::place()?, spec)?;
    Ok(disks)
}

/// Whether the root is the host's own, shared folder by folder.
fn is_host(root: &Root) -> bool {
    matches!(root, Root::Share { .. })
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

/// Mounts the root with what catches writes to it; gives the disk of the latter.
fn mount_overlay(spec: &RunSpec) -> Result<Disks, InitError> {
    let mut disks = Disks::default();
    make(LOWER)?;
    make(UPPER)?;
    mount_below(&spec.root, LOWER, MountFlags::RDONLY)?;
    match &spec.upper {
        Upper::Device { path, filesystem } => {
            wait_for(path)?;
            mounts::mount(path, UPPER, filesystem, MountFlags::empty(), "")?;
            disks.add(UPPER);
        }
        Upper::Memory { bytes } => {
            let size = bytes.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
            mounts::mount("tmpfs", UPPER, "tmpfs", MountFlags::empty(), &format!("mode=755{size}"))?;
        }
    }
    let (files, work) = (format!("{UPPER}/files"), format!("{UPPER}/work"));
    make(&files)?;
    make(&work)?;
    if is_host(&spec.root) {
        for (name, permissions) in FOLDERS {
            folder(&Path::new(&files).join(name), permissions, true)?;
        }
        let etc = Path::new(&files).join("etc");
        folder(&etc, 0o755, false)?;
        write_etc(&etc, spec)?;
    }
    let options = format!("lowerdir={LOWER},upperdir={files},workdir={work}");
    mounts::mount("overlay", ROOT, "overlay", MountFlags::empty(), &options)?;
    Ok(disks)
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

/// Writes the files of /etc into this folder, in place of what it has under their names.
fn write_etc(etc: &Path, spec: &RunSpec) -> Result<(), InitError> {
    for (name, content) in etc::files(spec) {
        let path = etc.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, content).map_err(InitError::os("write", path.display()))?;
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
