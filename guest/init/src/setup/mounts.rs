//! Mounts: the kernel's own file systems, and the folders that the host shares.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::path::Path;

use illico_protocol::Mount;
use rustix::mount::{MountFlags, mount_bind};

use crate::error::InitError;
use crate::log;

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const MEMORY: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Where shares with one file in them are seen whole.
const WHOLE_SHARES: &str = "/run/illico";

/// What is mounted in every guest: where, what, how. Those in folders that the root lacks are left out. /dev comes first: the
/// warnings of the others go to the kernel's log, which is a file in it.
const SYSTEM: [(&str, &str, MountFlags, &str); 7] = [
    ("/dev", "devtmpfs", DEVICES, "mode=755"),
    ("/proc", "proc", PLAIN, ""),
    ("/sys", "sysfs", PLAIN, ""),
    ("/sys/fs/cgroup", "cgroup2", PLAIN, ""),
    ("/dev/pts", "devpts", DEVICES, "mode=620,ptmxmode=666,gid=5"),
    ("/dev/shm", "tmpfs", MEMORY, "mode=1777"),
    ("/dev/mqueue", "mqueue", PLAIN, ""),
];

/// One mount, with the words for a person if it fails.
pub(crate) fn mount(
    source: &str,
    target: impl AsRef<Path>,
    filesystem: &str,
    flags: MountFlags,
    options: &str,
) -> Result<(), InitError> {
    let target = target.as_ref();
    let options = CString::new(options).unwrap_or_default();
    let options = (!options.is_empty()).then_some(options.as_c_str());
    rustix::mount::mount(source, target, filesystem, flags, options).map_err(|errno| InitError::Mount {
        source_name: source.to_owned(),
        filesystem: filesystem.to_owned(),
        target: target.display().to_string(),
        source: errno.into(),
    })
}

/// The kernel's device nodes.
pub(crate) fn devices(target: &str) -> Result<(), InitError> {
    mount("dev", target, "devtmpfs", DEVICES, "mode=755")
}

/// The kernel's file systems, in the entered root: a symbolic link of the root leads to a place in that root.
pub(crate) fn system() -> Result<(), InitError> {
    for (folder, filesystem, flags, options) in SYSTEM {
        // Nothing else makes the folders in devtmpfs.
        if folder.starts_with("/dev/") {
            let _ = fs::create_dir(folder);
        }
        match mount(filesystem, folder, filesystem, flags, options) {
            Err(InitError::Mount { source, .. }) if is_absent(&source) => {
                log::warning(&format_args!("{folder} stays unmounted: {source}"));
            }
            mounted => mounted?,
        }
    }
    for (link, target) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ] {
        let _ = std::os::unix::fs::symlink(target, link);
    }
    Ok(())
}

/// The folder is not there, or the kernel does not know the file system.
fn is_absent(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV))
}

/// The folders and files that the host shares, in the entered root.
pub(crate) fn shares(mounts: &[Mount]) -> Result<(), InitError> {
    for share in mounts {
        let target = share.path.as_path();
        let read_only = if share.readonly { MountFlags::RDONLY } else { MountFlags::empty() };
        let Some(file) = &share.file else {
            let _ = fs::create_dir_all(target);
            mount(&share.tag, target, "virtiofs", read_only, "")?;
            continue;
        };
        let whole = Path::new(WHOLE_SHARES).join(&share.tag);
        fs::create_dir_all(&whole).map_err(InitError::os("create", whole.display()))?;
        mount(&share.tag, &whole, "virtiofs", read_only, "")?;
        if let Some(parent) = target.parent() {
            let _ = fs::create_dir_all(parent);
        }
        let _ = OpenOptions::new().create_new(true).write(true).open(target);
        bind(&whole.join(file.as_os_str()), target)?;
    }
    Ok(())
}

/// Shows `source` at `target`.
pub(crate) fn bind(source: &Path, target: &Path) -> Result<(), InitError> {
    mount_bind(source, target).map_err(InitError::os("bind a file over", target.display()))
}
