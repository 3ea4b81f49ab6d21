//! The initramfs of a guest: its PID 1, what that is told, and the modules that this takes with this kernel.
//!
//! The same kernel, spec and program give the same bytes. It is not packed: the guest would have to unpack it, and the
//! host's page cache is as fast.

use illico_protocol::{MODULES_PATH, RUN_SPEC_PATH, Root, RunSpec, RunSpecError, Upper};

use crate::cpio::{Archive, Node};
use crate::kernels::{Kernel, KernelError};
use crate::modules::content;

/// Why an initramfs cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error("cannot write the run spec")]
    Spec(#[from] RunSpecError),
}

/// The archive. `init` is the program, `also` are drivers of devices that the spec does not speak of, such as
/// `virtio_console`: those that this kernel does not have are left out.
pub fn generate(kernel: &Kernel, spec: &RunSpec, also: &[&str], init: &[u8]) -> Result<Vec<u8>, InitramfsError> {
    let mut spec = spec.clone();
    let mut archive = Archive::new();
    archive.node("dev/console", 0o600, Node::Character, (5, 1)).node("dev/null", 0o666, Node::Character, (1, 3));
    for folder in ["proc", "sys", "run"] {
        archive.folder(folder, 0o755);
    }
    archive.file("init", 0o755, init);
    spec.modules.clear();
    for path in kernel.load_order(&needed(&spec), also)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split_inclusive(".ko").next().unwrap_or_default();
        archive.file(format!("{MODULES_PATH}/{name}"), 0o644, &content(&path).map_err(KernelError::from)?);
        spec.modules.push(name.to_owned());
    }
    archive.file(RUN_SPEC_PATH, 0o600, &spec.to_json()?);
    Ok(archive.finish())
}

/// The modules without which this spec cannot be done, if they are not built in.
fn needed(spec: &RunSpec) -> Vec<&str> {
    let mut names = vec!["virtio_pci", "vmw_vsock_virtio_transport"];
    let mut devices: Vec<(&str, &str)> = Vec::new();
    match &spec.root {
        Root::Share { .. } => names.push("virtiofs"),
        Root::Device { path, filesystem, .. } => devices.push((path, filesystem)),
    }
    names.push("overlay");
    if let Upper::Device { path, filesystem } = &spec.upper {
        devices.push((path, filesystem));
    }
    if !spec.mounts.is_empty() {
        names.push("virtiofs");
    }
    for (path, filesystem) in devices {
        let drivers: &[&str] =
            if path.starts_with("/dev/pmem") { &["virtio_pmem", "nd_pmem"] } else { &["virtio_blk"] };
        names.extend(drivers);
        names.push(filesystem);
    }
    if spec.network.is_some() {
        names.push("virtio_net");
    }
    names
}

#[cfg(test)]
#[path = "initramfs_test.rs"]
mod tests;
