//! What can be wrong with kernels, each as one line with what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::NoElf;
use crate::modules::ModulesError;

#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("cannot {what} '{}'", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("neither XDG_DATA_HOME nor HOME says where kernels are kept")]
    NoHome,
    #[error("there is no kernel for guests: `illico kernel fetch` gets the distribution's, or give one with --kernel")]
    None,
    #[error("there is no kernel named '{name}'{}", known_names(known))]
    Unknown { name: String, known: Vec<String> },
    #[error(
        "this host's kernel {release} cannot be read: /boot/vmlinuz-{release} and /lib/modules/{release} are needed"
    )]
    NoHostKernel { release: String },
    #[error("the kernel 'host' is this host's own; it is not in the store")]
    HostStays,
    #[error("'{0}' cannot be the name of a kernel: letters, digits, '.', '-', '_', '+', and not 'host' or 'default'")]
    Name(String),
    #[error("there is a kernel named '{0}' already; `illico kernel rm {0}` removes it")]
    InUse(String),
    #[error("'{}' is no kernel for x86-64: neither an ELF vmlinux nor a bzImage of Linux", .0.display())]
    NotAKernel(PathBuf),
    #[error("'{}' has modules for {modules}, but the kernel is {kernel}", folder.display())]
    OtherModules { folder: PathBuf, modules: String, kernel: String },
    #[error("kernel {kernel} ({release}) has no {missing}, built in or as a module, which this guest needs")]
    Lacks { kernel: String, release: String, missing: String },
    #[error(transparent)]
    NoElf(#[from] NoElf),
    #[error(transparent)]
    Modules(#[from] ModulesError),
    #[error(
        "fetching a kernel takes apt-get and dpkg-deb, which this host does not have; \
         add one from your distribution's package: illico kernel add NAME VMLINUZ --modules LIB/MODULES/RELEASE"
    )]
    NoApt,
    #[error(
        "no package of this host's distribution has a kernel for cloud machines (tried {0}); `apt-get update` may help"
    )]
    NoPackage(String),
    #[error("cannot start {program}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed: {reason}")]
    Failed { program: String, reason: String },
    #[error("the package {0} has no kernel with modules in it")]
    BadPackage(String),
}

impl KernelError {
    /// For `map_err`.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() {
        return "; `illico kernel fetch` gets the distribution's".to_owned();
    }
    format!("; there are {}", known.join(", "))
}
