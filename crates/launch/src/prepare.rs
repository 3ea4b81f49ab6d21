//! From a plan to a machine that can run: its folder is made and locked, its sockets are bound, its files are open, and its
//! memory is mapped. Whatever the host refuses, it refuses here.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use illico_image::kernels::{Cache, KernelError, elf};
use illico_machine::build::{Files, Parts, Start, build};
use illico_machine::config::Console as ConsoleKind;
use illico_machine::kvm::Kvm;
use illico_machine::machine::Machine;
use illico_machine::spans::Spans;
use illico_memory::Ram;
use illico_virtio::console::Console;
use illico_virtio::device::Device;
use illico_virtio::net::Net;
use illico_virtio::vsock::VsockSpec;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::error::{LaunchError, Part, PlanError, file, host};
use crate::first::First;
use crate::jail::Folders;
use crate::kernel::Kernel;
use crate::outcome::Handle;
use crate::plan::Plan;
use crate::vms::{CONSOLE_LOG, Folder, Vms};
use crate::{agent, watch};

/// Bytes of the kernel's log that are kept. A kernel writes some ten thousand; more is a guest that floods the log.
const MAX_KERNEL_LOG: u64 = 8 << 20;

/// Every guest may have the same context id: only its own monitor uses it.
const GUEST_CID: u32 = 3;

/// What a caller gives to a machine in place of what it would make or open itself.
#[derive(Default)]
pub struct Supplies {
    /// Where machines are registered; the user's own folders otherwise.
    pub vms: Option<Vms>,
    /// KVM, opened and asked earlier. What was wrong with it is reported after what is wrong with the plan.
    pub start: Option<Result<Start, LaunchError>>,
    /// Where the guest's console is written to; a log in the machine's folder otherwise.
    pub console: Option<OwnedFd>,
    /// The kernel, packed or not; opened by its path otherwise.
    pub kernel: Option<File>,
    /// The guest's memory, in the ranges of a machine of the plan's size; mapped here otherwise.
    pub ram: Option<Ram>,
    /// The other end of the network `user`: a program that the caller runs and that carries frames as passt does. Its
    /// ports are the caller's; passt is started otherwise.
    pub network: Option<UnixStream>,
    /// What collects the spans of the work from here to the machine's end; nothing is kept otherwise.
    pub spans: Spans,
    /// Devices that the caller made, such as a network card on a socket of its own; behind those of the plan.
    pub devices: Vec<Box<dyn Device>>,
}

impl std::fmt::Debug for Supplies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supplies").finish_non_exhaustive()
    }
}

/// A machine that can run. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) machine: Machine,
    pub(crate) folder: Folder,
    pub(crate) first: First,
    pub(crate) handle: Handle,
    pub(crate) plan: Plan,
    pub(crate) sockets: PathBuf,
}

/// Opens KVM and begins to ask it what takes longest. The earlier this is called, the less a machine waits for the answer.
pub fn begin(spans: &Spans) -> Result<Start, LaunchError> {
    Ok(Start::with(Kvm::open_timed(spans.clone())?)?)
}

impl Plan {
    /// Opens, makes and locks all that the machine needs.
    pub fn prepare(mut self, supplies: Supplies) -> Result<Prepared, LaunchError> {
        let Supplies { vms, start, console, kernel, ram, network, spans, mut devices } = supplies;
        let start = start.unwrap_or_else(|| begin(&spans));
        self.config.check()?;
        let vms = vms.map_or_else(Vms::of_user, Ok)?;
        let folder = vms.create(self.name.clone(), self.asked())?;
        self.seclude_files(&folder.file("shares"))?;
        self.add_scratch(&folder.file("scratch.img"))?;
        self.spec.hostname = folder.record().name.to_string();
        self.spec.command.env = self.environment.words();
        let sockets = folder.make_sockets()?.to_owned();
        self.stands_for("vsock", 0, Part::Agent, sockets.display().to_string());
        self.config.vsock = Some(VsockSpec { path: sockets.join(agent::SOCKET), cid: GUEST_CID });
        let first = First::listen(&sockets)?;
        let has_console = self.config.console != ConsoleKind::None;
        let initrd = || in_memory(&self.kernel.initramfs(&self.spec, has_console)?);
        let initrd = spans.timed("make the initramfs", initrd)?;
        if let Some(socket) = network {
            devices.insert(0, self.plug_in(socket)?);
        }
        let kernel = kernel.map_or_else(|| self.kernel.open(), Ok)?;
        let kernel = elf(kernel, &Cache::of_user(), &|name, begin, end| spans.between(name, begin, end))
            .map_err(KernelError::from)?;
        let files = Files { kernel, initrd: Some(initrd) };
        let console = match has_console {
            true => Some(open_console(&folder.file(CONSOLE_LOG), console)?),
            false => None,
        };
        let mut start = start?;
        start.count_in(watch::create(&sockets)?);
        crate::jail::raise(self.jail, &Folders::of(&self.config, Some(&vms)))?;
        let parts = Parts { console, devices, ram, ..Parts::new(files) };
        let mut machine = build(&self.config, start, parts).map_err(|error| self.explain(error))?;
        // Its files are open.
        self.guard = None;
        watch::attach(&sockets, &mut machine)?;
        let handle = Handle::new(machine.control(), first.outbox().clone(), self.stop_signal);
        Ok(Prepared { machine, folder, first, handle, plan: self, sockets })
    }

    /// Makes the card of the network `user` on a socket of the caller's, in place of the card that would start passt.
    fn plug_in(&mut self, socket: UnixStream) -> Result<Box<dyn Device>, LaunchError> {
        let wrong = |why: &str| PlanError::new(Part::Network, why);
        let index = self.config.net.iter().position(|card| card.user);
        let index = index.ok_or_else(|| wrong("a socket was supplied, and the network is not `user`"))?;
        if !self.config.net.remove(index).forward.is_empty() {
            return Err(wrong("ports belong to the program at the other end of the supplied socket").into());
        }
        let card = Net::on_socket(socket, "net");
        Ok(Box::new(card.map_err(host("use the supplied socket of the network"))?))
    }
}

impl Prepared {
    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Its folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The guest's kernel.
    pub fn kernel(&self) -> &Kernel {
        &self.plan.kernel
    }

    /// A way to reach it while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// A file that has no name.
fn in_memory(bytes: &[u8]) -> Result<File, LaunchError> {
    let file = memfd_create("initramfs", MemfdFlags::CLOEXEC).map_err(|error| host("make a memfd")(error.into()))?;
    let mut file = File::from(file);
    file.write_all(bytes).map_err(host("write the initramfs"))?;
    Ok(file)
}

/// The guest's console, which only writes: to `shown`, or to a log of bounded size.
fn open_console(log: &Path, shown: Option<OwnedFd>) -> Result<Box<dyn Device>, LaunchError> {
    let console = match shown {
        Some(shown) => {
            let nothing = Path::new("/dev/null");
            let nothing = File::open(nothing).map_err(file("open", nothing))?;
            Console::open(nothing.into(), shown, None)
        }
        None => Console::kept(File::create(log).map_err(file("make", log))?.into(), MAX_KERNEL_LOG),
    };
    Ok(Box::new(console?))
}
