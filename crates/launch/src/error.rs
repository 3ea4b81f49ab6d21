//! Why a machine could not be planned, prepared or run.
//!
//! An error says what is wrong and carries which part of the plan it is about; how that part is called where the person
//! wrote it (an option, a key of a file, a field of a request) is for the program that uses this library to say.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use illico_image::initramfs::InitramfsError;
use illico_image::kernels::KernelError;
use illico_jail::JailError;
use illico_machine::build::BuildError;
use illico_machine::config::ConfigError;
use illico_machine::kvm::KvmError;
use illico_virtio::console::ConsoleError;
use illico_virtio::device::DeviceError;
use rustix::fs::OFlags;

use crate::agent::AgentError;
use crate::copy::CopyError;
use crate::vms::VmsError;

/// A part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The guest's kernel.
    Kernel,
    /// The initial RAM disk.
    Initrd,
    /// The image that the command runs on.
    Image,
    /// The command.
    Command,
    /// A variable of the command's environment.
    Environment,
    /// A file with variables of the command's environment.
    EnvironmentFile,
    /// A folder or file of the host that the guest sees.
    Share,
    /// The disk of the scratch layer.
    Scratch,
    /// The host's own files, as the root that the command runs on.
    HostRoot,
    /// The socket by which the agent is reached.
    Agent,
    /// The network.
    Network,
    /// A port of the host that leads into the guest.
    Port,
    /// A port of the host that needs another network than the one that was asked for.
    PortNetwork,
}

/// What is wrong with a part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct PlanError {
    /// Which part.
    pub part: Part,
    /// What is wrong with it, and what to do instead.
    pub why: String,
}

impl PlanError {
    pub(crate) fn new(part: Part, why: impl Into<String>) -> Self {
        Self { part, why: why.into() }
    }
}

/// Why a machine could not be planned, prepared or run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A part of the plan is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The machine's configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no such kernel, or it lacks what the guest needs.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The initramfs could not be made.
    #[error(transparent)]
    Initramfs(#[from] InitramfsError),
    /// The machine's folder could not be made or written.
    #[error(transparent)]
    Vms(#[from] VmsError),
    /// KVM cannot be used.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// The machine could not be built.
    #[error(transparent)]
    Build(BuildError),
    /// A device that stands for a part of the plan could not be set up.
    #[error("{what}: {error}")]
    Device {
        /// Which part.
        part: Part,
        /// What the part is in the plan: the image as it was written, or a path.
        what: String,
        /// What is wrong with the device.
        error: Box<DeviceError>,
    },
    /// The console could not be made.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// The agent in the guest cannot be reached.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Files were not copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A file of the plan cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// What it is for.
        part: Part,
        /// Which file.
        path: PathBuf,
        /// What the host said.
        #[source]
        source: io::Error,
    },
    /// The process could not be jailed.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// The host refused a file or a socket.
    #[error("cannot {attempt} {}", path.display())]
    File {
        /// What for.
        attempt: &'static str,
        /// Which.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The host refused something without a name.
    #[error("cannot {attempt}")]
    Host {
        /// What for.
        attempt: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl From<BuildError> for LaunchError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

/// Opens a file of the plan for reading.
pub(crate) fn open(part: Part, path: &Path) -> Result<File, LaunchError> {
    // A named pipe would wait for its other end; on files the flag changes nothing.
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path);
    file.map_err(|source| LaunchError::Open { part, path: path.to_owned(), source })
}

pub(crate) fn file(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LaunchError {
    let path = path.to_owned();
    move |source| LaunchError::File { attempt, path, source }
}

pub(crate) fn host(attempt: &'static str) -> impl FnOnce(io::Error) -> LaunchError {
    move |source| LaunchError::Host { attempt, source }
}
