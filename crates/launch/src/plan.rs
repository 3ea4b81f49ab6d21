//! What is to run, as plain data: a machine, a command, and what belongs to both. Nothing is opened or started here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use illico_image::{Guard, Image};
use illico_machine::build::BuildError;
use illico_machine::config::{Config, Console, Place, Size, Switch};
use illico_protocol::{Exec, Mount, Root, RunSpec, Upper, Word};
use illico_virtio::block::DiskSpec;
use illico_virtio::fs::{FsSpec, Owner};

use crate::environment::Environment;
use crate::error::{LaunchError, Part, PlanError};
use crate::jail::Jail;
use crate::kernel::Kernel;
use crate::share::Share;
use crate::vms::{Asked, Name, Verb};
use crate::{network, process, root, scratch};

/// What is to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The name of the machine; without one, a name is invented.
    pub name: Option<Name>,
    /// Whether the machine is forgotten when it ends.
    pub remove: bool,
    /// The machine, except for the devices that need its folder.
    pub config: Config,
    /// What its PID 1 is told, except for the host name and the environment.
    pub spec: RunSpec,
    /// The command's environment.
    pub environment: Environment,
    /// The image, as the person wrote it.
    pub image: Option<String>,
    /// Keeps the image's file until the machine has opened it.
    pub(crate) guard: Option<Guard>,
    /// The signal that asks the command to stop.
    pub stop_signal: u8,
    /// Ports of the host that lead into the guest, as they were written.
    pub ports: Vec<String>,
    /// The guest's kernel.
    pub kernel: Kernel,
    /// How its process is jailed.
    pub jail: Jail,
    /// How long the machine may run.
    pub timeout: Option<Duration>,
    /// The size of the disk for its scratch layer; without one, the layer is in its memory.
    pub scratch: Option<Size>,
    /// Files that are shared alone: an index of `config.fs`, and the file.
    pub(crate) files: Vec<(usize, PathBuf)>,
    /// What devices of the configuration stand for: the part, and what the part is in the plan.
    origins: Vec<(Place, Part, String)>,
}

/// The user and the folder that a command on the host's own files has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSide {
    /// The user's number.
    pub uid: u32,
    /// The number of the user's group.
    pub gid: u32,
    /// The folder that the command starts in.
    pub cwd: PathBuf,
}

impl Plan {
    /// A command on the host's own files, which it reads and cannot change.
    pub fn on_host(kernel: Kernel, side: &HostSide, environment: Environment, command: Vec<OsString>) -> Self {
        let HostSide { uid, gid, cwd } = side;
        let owner = Owner { uid: *uid, gid: *gid };
        let command =
            Exec { cwd: Some(Word::from(cwd.as_path())), user: Some(format!("{uid}:{gid}")), ..Exec::new(command) };
        let mut config = machine();
        config.fs.push(FsSpec { readonly: true, owner, ..FsSpec::new("/", ROOT_TAG) });
        let mut plan = Self::new(kernel, config, RunSpec::new("illico", Root::share(), command), environment);
        plan.stands_for("fs", 0, Part::HostRoot, "/");
        plan
    }

    /// A command on an image: `command` replaces the image's own, if it is not empty. `name` is the image as the person
    /// wrote it.
    pub fn on_image(kernel: Kernel, name: &str, image: &Image, command: Vec<OsString>) -> Result<Self, LaunchError> {
        let command = process::command(&image.config, command)?;
        let mut config = machine();
        let root = root::attach(&image.root, &mut config, kernel.maps());
        let spec = RunSpec::new("illico", root, command);
        let mut plan = Self::new(kernel, config, spec, process::environment(&image.config));
        let field = if plan.config.pmem.is_empty() { "disk" } else { "pmem" };
        plan.stands_for(field, 0, Part::Image, name);
        plan.image = Some(name.to_owned());
        plan.guard.clone_from(&image.guard);
        plan.stop_signal = process::stop_signal(&image.config);
        Ok(plan)
    }

    fn new(kernel: Kernel, mut config: Config, spec: RunSpec, environment: Environment) -> Self {
        config.kernel = kernel.path().to_owned();
        Self {
            name: None,
            remove: false,
            config,
            spec,
            environment,
            image: None,
            guard: None,
            stop_signal: process::SIGTERM,
            ports: Vec::new(),
            kernel,
            jail: Jail::default(),
            timeout: None,
            scratch: None,
            files: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Notes what a device stands for.
    pub(crate) fn stands_for(&mut self, field: &'static str, index: usize, part: Part, what: impl Into<String>) {
        self.origins.push((Place::Device { field, index }, part, what.into()));
    }

    /// An error of building the machine, about the part of the plan that the device at fault stands for.
    pub(crate) fn explain(&self, error: BuildError) -> LaunchError {
        let BuildError::Device(device) = error else { return LaunchError::Build(error) };
        match self.origins.iter().find(|(place, ..)| *place == device.place) {
            Some((_, part, what)) => LaunchError::Device { part: *part, what: what.clone(), error: device.error },
            None => LaunchError::Build(BuildError::Device(device)),
        }
    }

    /// Adds a folder, or a file alone. `tag` is unique among the shares.
    pub fn share(&mut self, share: &Share, tag: String) -> Result<(), PlanError> {
        let owner = self.owner();
        let Share { host, guest, readonly } = share;
        let file = if host.is_dir() {
            None
        } else if let (Some(name), true) = (host.file_name(), host.is_file()) {
            self.files.push((self.config.fs.len(), host.clone()));
            Some(Word::from(name))
        } else {
            return Err(PlanError::new(Part::Share, format!("{} is neither a folder nor a file", host.display())));
        };
        self.stands_for("fs", self.config.fs.len(), Part::Share, host.display().to_string());
        self.config.fs.push(FsSpec { readonly: *readonly, owner, ..FsSpec::new(host, &*tag) });
        self.spec.mounts.push(Mount { file, ..Mount::folder(tag, guest.as_path(), *readonly) });
        Ok(())
    }

    /// Gives it a network: `user`, `none`, or a tap with its addresses (docs/run.md). `ports` lead into the guest.
    pub fn connect(&mut self, text: &str, ports: &[String]) -> Result<(), PlanError> {
        self.stands_for("net", self.config.net.len(), Part::Network, text);
        self.spec.network = network::attach(text, ports, &mut self.config)?;
        self.ports = ports.to_vec();
        Ok(())
    }

    /// What other processes are told of the machine.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            verb: Verb::Run,
            image: self.image.clone(),
            command: self.spec.command.command.iter().map(ToString::to_string).collect(),
            ports: self.ports.clone(),
            remove: self.remove,
            config: self.config.clone(),
        }
    }

    /// Makes the disk of the scratch layer at this path, if there is to be one.
    pub(crate) fn add_scratch(&mut self, path: &Path) -> Result<(), PlanError> {
        let Some(size) = self.scratch else { return Ok(()) };
        scratch::make(path, size)?;
        self.spec.upper = Upper::Device { path: root::next_disk(&self.config), filesystem: "ext4".to_owned() };
        self.stands_for("disk", self.config.disk.len(), Part::Scratch, path.display().to_string());
        self.config.disk.push(DiskSpec::new(path));
        Ok(())
    }

    /// Puts each file that is shared alone into a folder of its own below `place`: a share is a folder, and the guest
    /// must not see what else is in the file's own folder.
    pub(crate) fn seclude_files(&mut self, place: &Path) -> Result<(), PlanError> {
        for (index, file) in std::mem::take(&mut self.files) {
            let Some(spec) = self.config.fs.get_mut(index) else { continue };
            let wrong = |why: String| PlanError::new(Part::Share, format!("{}: {why}", file.display()));
            let refused = |error: io::Error| wrong(error.to_string());
            let folder = place.join(&spec.tag);
            fs::create_dir_all(&folder).map_err(refused)?;
            let alone = folder.join(file.file_name().unwrap_or_default());
            match (fs::hard_link(&file, &alone), spec.readonly) {
                (Ok(()), _) => {}
                // The file is on another file system, or another user's. A copy is as good where the guest cannot write.
                (Err(_), true) => drop(fs::copy(&file, &alone).map_err(refused)?),
                (Err(error), false) => {
                    let fix = "a file is shared for writing by a hard link; share its folder, or make it :ro";
                    return Err(wrong(format!("{error}; {fix}")));
                }
            }
            spec.path = folder;
        }
        Ok(())
    }

    /// The user in the guest whom the files of this user belong to: the command's user, if that is a number.
    fn owner(&self) -> Owner {
        self.spec.command.user.as_deref().and_then(|user| user.parse().ok()).unwrap_or_default()
    }
}

/// A machine with nothing but a console.
fn machine() -> Config {
    Config { cmdline: "quiet".to_owned(), entropy: Switch::Off, console: Console::Virtio, ..Config::default() }
}

/// The tag of the root file system.
const ROOT_TAG: &str = "root";
