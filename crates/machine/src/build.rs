//! A configuration becomes a machine: memory, KVM, devices behind transports, the guest's image.
//!
//! One loop over devices, which names none of them. When it is done the bus is frozen.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};

use illico_memory::{Access, Layout, MapError, Mapping, Pages, Ram, Region};
use illico_virtio::device::{Device, DeviceMemory};
use illico_virtio::event_loop::{EventLoop, LoopHandle};
use illico_virtio::interrupt::Interrupt;
use illico_virtio::transport::core::Core;
use illico_virtio::transport::mmio::{MmioTransport, PAGE};
use illico_virtio::transport::pci::{BAR_MEMORY, PciTransport};

use crate::arch::kvm::{CpuModel, Supported};
use crate::arch::{Platform, acpi};
use crate::boot::cmdline::CommandLineError;
use crate::boot::initrd::InitrdError;
use crate::boot::{self, LoadError, Sources};
use crate::bus::Bus;
use crate::config::{Advice, Config, Feature, HugePages, OpenError, Place, Size, Transport};
use crate::control::{Control, Ending};
use crate::deadlines::Deadlines;
use crate::describe::{self, Gsis, has_lines};
use crate::devices::{self, Opened};
use crate::irq::{DeviceVectors, Irqs};
use crate::kvm::{Kvm, KvmError, Vcpu, Vm, VmOptions};
use crate::live::{Page, Shape};
use crate::loop_thread::{self, LoopThread};
use crate::machine::{DeviceView, History, Machine};
use crate::mmio::MmioBus;
use crate::pci::{self, Ecam, PciBus};
use crate::spans::Spans;
use crate::threads::Role;
use crate::timeline;
use crate::vcpu_thread::VcpuThread;

/// What the guest is loaded from.
#[derive(Debug)]
pub struct Files {
    /// The kernel: an ELF file.
    pub kernel: File,
    /// The initial RAM disk.
    pub initrd: Option<File>,
}

/// What a machine is made of beside its configuration: files that were opened, and the console.
pub struct Parts {
    /// What the guest is loaded from.
    pub files: Files,
    /// The device that is the guest's first terminal.
    pub console: Option<Box<dyn Device>>,
    /// Devices that no configuration names.
    pub devices: Vec<Box<dyn Device>>,
    /// Where the UART's characters go, if there is one.
    pub uart: Option<Box<dyn io::Write + Send>>,
    /// The guest's memory, for a caller that maps it itself. It is mapped here otherwise.
    pub ram: Option<Ram>,
}

impl Parts {
    /// A guest's files alone: no console, no device and no memory of the caller's.
    pub fn new(files: Files) -> Self {
        Self { files, console: None, devices: Vec::new(), uart: None, ram: None }
    }
}

/// Why there is no machine.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// KVM refused something.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// The host did not give the guest's memory.
    #[error("{}", ram_refused(*memory, *pages))]
    Ram {
        /// How much.
        memory: Size,
        /// In what pages.
        pages: HugePages,
        /// What the host said.
        #[source]
        source: MapError,
    },
    /// The caller supplied memory that is not laid out as the configuration asks.
    #[error("the supplied memory is {found} and not {memory}, with the hole below 4 GiB that this machine has")]
    RamLayout {
        /// What the configuration asks for.
        memory: Size,
        /// How much was supplied.
        found: Size,
    },
    /// The host did not give a few pages for registers.
    #[error("cannot map memory for devices")]
    Memory(#[from] MapError),
    /// A device could not be opened.
    #[error(transparent)]
    Device(#[from] OpenError),
    /// The kernel, initrd or command line does not fit.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The command line does not fit.
    #[error(transparent)]
    CommandLine(CommandLineError),
    /// An eventfd, an epoll or a thread was refused.
    #[error("cannot {attempt}")]
    Host {
        /// What for.
        attempt: &'static str,
        /// What the host said.
        #[source]
        source: io::Error,
    },
}

impl BuildError {
    /// The place in the configuration that is at fault; none if the host refused something that no field is about.
    pub fn place(&self) -> Option<Place> {
        Some(match self {
            Self::Ram { pages: HugePages::Hugetlb, .. } => Place::Field("hugepages"),
            Self::Ram { .. } | Self::RamLayout { .. } => Place::Field("memory"),
            Self::Device(error) => error.place,
            Self::Load(error) => Place::Field(error.field()),
            Self::CommandLine(_) => Place::Field("cmdline"),
            Self::Kvm(_) | Self::Memory(_) | Self::Host { .. } => return None,
        })
    }

    /// A field that would mend it.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            Self::Load(LoadError::Initrd(InitrdError::NeedsMemory { least, .. })) => {
                Some(Advice::new("it takes at least", "memory", format!("{least}M")))
            }
            Self::CommandLine(CommandLineError::TooLong { .. }) => {
                Some(Advice::new("shorten it, or leave the defaults out with", "default-cmdline", "false"))
            }
            _ => None,
        }
    }
}

fn ram_refused(memory: Size, pages: HugePages) -> String {
    if pages == HugePages::Hugetlb {
        let count = memory.0.div_ceil(2 << 20);
        return format!("the host's pool does not have {memory} (grow it: sysctl vm.nr_hugepages={count}; or use thp)");
    }
    format!("the host does not give {memory} (ask for less)")
}

fn host(attempt: &'static str) -> impl FnOnce(io::Error) -> BuildError {
    move |source| BuildError::Host { attempt, source }
}

/// KVM, opened, and the devices' thread, which asks it meanwhile for what takes longest.
#[derive(Debug)]
pub struct Start {
    kvm: Kvm,
    main_thread: LoopThread,
    supported: Arc<OnceLock<Option<Supported>>>,
    counters: Option<File>,
}

impl Start {
    /// To be made as early as possible: nothing needs the answer before the vCPUs.
    pub fn with(kvm: Kvm) -> Result<Self, BuildError> {
        let supported: Arc<OnceLock<Option<Supported>>> = Arc::default();
        let (asked, answer) = (kvm.clone(), Arc::clone(&supported));
        let ask = move || {
            answer.get_or_init(|| asked.supported().ok());
        };
        let main_thread = kvm
            .spans()
            .timed("start the devices' thread", || LoopThread::start(ask))
            .map_err(host("start the thread of the devices"))?;
        Ok(Self { kvm, main_thread, supported, counters: None })
    }

    /// Has the machine count in this file, which is empty, for others to read while it runs.
    pub fn count_in(&mut self, file: File) {
        self.counters = Some(file);
    }
}

/// Makes the machine. Nothing of the guest runs yet.
pub fn build(config: &Config, start: Start, parts: Parts) -> Result<Machine, BuildError> {
    let Start { kvm, main_thread, supported, counters } = start;
    let spans = kvm.spans().clone();
    let layout = Layout::around_hole(config.memory.0);
    let opened = spans.timed("open the devices", || {
        devices::open(config, &layout, parts.console.into_iter().chain(parts.devices).collect())
    });
    let mut opened = opened?;
    let sockets = opened.iter_mut().filter_map(|opened| opened.device.take_socket()).collect();
    let gsis = Gsis::of(config, parts.uart.is_some(), opened.len());
    let ram = spans.timed("map the guest's memory", || match parts.ram {
        Some(ram) => check_layout(ram, &layout),
        None => Ram::new(&layout, config.hugepages.into()).map_err(|source| {
            let (memory, pages) = (config.memory, config.hugepages);
            BuildError::Ram { memory, pages, source }
        }),
    })?;
    let vm = Arc::new(kvm.create_vm(&VmOptions { interrupt_pins: gsis.pins })?);
    vm.map_ram(&ram)?;
    let vectors: u32 = if has_lines(config) { 0 } else { opened.iter().map(vectors).sum() };
    let wiring = spans.open("put the devices on the bus");
    let irqs = Arc::new(Irqs::new(Arc::clone(&vm), gsis.pins + vectors).map_err(host("make eventfds"))?);
    let main_loop = EventLoop::new().map_err(host("make the loop of the devices"))?;
    let control_loop = EventLoop::new().map_err(host("make the control loop"))?;

    // What a guest has mapped of a device's memory may be the place of its data for another.
    let extra = opened.iter().filter_map(|opened| opened.memory.clone());
    let reached = ram.with_extra_regions(extra.map(|DeviceMemory { start, window, writable }| {
        (Region { start, window }, if writable { Access::ReadWrite } else { Access::ReadOnly })
    }));
    let shape = |opened: &Opened| {
        let device = &opened.device;
        (device.name().to_owned(), device.kind().name, device.queue_sizes().len())
    };
    let shape = Shape { vcpus: config.cpus.into(), devices: opened.iter().map(shape).collect() };
    let counted = Page::new(&shape, counters.as_ref()).map_err(host("map the counters"))?;
    let mut assembly = Assembly {
        vm: &vm,
        ram: &reached,
        irqs: &irqs,
        page: &counted,
        queues: 0,
        without: &config.without,
        main: main_loop.handle(),
        loops: Vec::new(),
        seen: Vec::new(),
    };
    let (pci, mmio) = match config.transport {
        Transport::Pci => (assembly.pci(opened, &gsis)?, None),
        Transport::Mmio => (None, assembly.mmio(opened, gsis.first_device)?),
    };
    let Assembly { loops, seen, .. } = assembly;

    let platform = Platform::new(&vm, &irqs, gsis.pins, gsis.uart.zip(parts.uart), config.rtc)?;
    let bus = Arc::new(Bus { pci, mmio, platform });
    drop(wiring);

    let loaded = spans.timed("load the guest", || load(config, &ram, &parts.files, &gsis, &bus, &spans))?;
    let making = spans.open("make the vCPUs");
    // A host that is busy elsewhere may not have let the thread begin: then it is asked here.
    let model = match spans.timed("wait for KVM's CPUID", || supported.get_or_init(|| kvm.supported().ok())) {
        Some(supported) => CpuModel::new(supported, config.cpus),
        // Once more, for what KVM says to it.
        None => CpuModel::new(&kvm.supported()?, config.cpus),
    };
    let created: Result<Vec<_>, _> = (0..config.cpus).map(|index| vm.create_vcpu(index, &model)).collect();
    let created = created?;
    if let Some(first) = created.first() {
        first.enter_at(&loaded.entry)?;
    }
    drop(making);
    let guest_clock_zero = if spans.are_kept() { timeline::guest_clock_zero(&spans, || vm.clock().ok()) } else { None };
    let history = History { spans, guest_clock_zero, log_places: loaded.log_places };
    let ending = Ending::new(created.iter().map(Vcpu::kick_handle).collect());
    let thread = |(index, vcpu): (u8, Vcpu)| {
        let exits = counted.vcpu(index.into()).unwrap_or_else(|| unreachable!("the page was made for all vCPUs"));
        let (bus, exits) = (Arc::clone(&bus), Arc::new(exits));
        VcpuThread { index, vcpu, bus, ram: ram.clone(), exits, ending: ending.clone() }
    };
    let vcpus = (0..).zip(created).map(thread).collect();
    let deadlines = Deadlines::new(control_loop.handle(), ending.clone());
    let control = Control { ending, irqs, power_button: gsis.power_button, deadlines };
    let page = counted;
    Ok(Machine { vm, vcpus, bus, control_loop, main_loop, main_thread, loops, control, seen, sockets, page, history })
}

/// Memory that the caller supplied, if it has the ranges of this machine.
fn check_layout(ram: Ram, layout: &Layout) -> Result<Ram, BuildError> {
    let ranges = ram.regions().iter().map(|region| (region.start, region.window.len() as u64));
    if ranges.eq(layout.ranges().iter().copied()) {
        return Ok(ram);
    }
    Err(BuildError::RamLayout { memory: Size(layout.size()), found: Size(ram.size()) })
}

/// Puts the kernel and all that it is handed into RAM.
fn load(
    config: &Config,
    ram: &Ram,
    files: &Files,
    gsis: &Gsis,
    bus: &Bus,
    spans: &Spans,
) -> Result<boot::Loaded, BuildError> {
    let command_line = describe::command_line(config, gsis, bus).map_err(BuildError::CommandLine)?;
    let sources = Sources {
        kernel: &files.kernel,
        initrd: files.initrd.as_ref(),
        command_line: &command_line,
        acpi: &describe::acpi(config, gsis, bus),
        protocol: None,
        spans,
    };
    Ok(boot::load(ram, &sources)?)
}

fn vectors(opened: &Opened) -> u32 {
    PciTransport::vectors_for(opened.device.queue_sizes().len()).into()
}

/// What the loop over devices collects.
struct Assembly<'a> {
    vm: &'a Arc<Vm>,
    ram: &'a Ram,
    irqs: &'a Arc<Irqs>,
    page: &'a Page,
    /// How many queues have their places in the page.
    queues: usize,
    without: &'a [Feature],
    main: LoopHandle,
    loops: Vec<LoopHandle>,
    seen: Vec<DeviceView>,
}

impl Assembly<'_> {
    /// Puts devices on the PCI bus; their vectors are the GSIs behind the pins.
    fn pci(&mut self, opened: Vec<Opened>, gsis: &Gsis) -> Result<Option<PciBus>, BuildError> {
        if opened.is_empty() {
            return Ok(None);
        }
        let ecam = Ecam::new()?;
        let bars = Mapping::anonymous(opened.len() * BAR_MEMORY, Pages::Small)?;
        let mut functions = Vec::with_capacity(opened.len());
        let mut first = gsis.pins;
        for (index, opened) in opened.into_iter().enumerate() {
            let count = vectors(&opened);
            let lines = Arc::new(DeviceVectors { irqs: Arc::clone(self.irqs), first });
            first += count;
            let loops = self.prepare(&opened)?;
            let memory = bars.part(index * BAR_MEMORY, BAR_MEMORY).ok_or(MapError::Empty)?;
            let config = ecam.function(index).ok_or(MapError::Empty)?;
            let bar = pci::initial_bar(index);
            let mut transport =
                PciTransport::new(opened.device, self.ram.clone(), loops, config, memory.clone(), bar, lines)
                    .map_err(host("make eventfds"))?;
            transport.prepare(|core| self.adapt(core));
            if self.without.contains(&Feature::Msix) {
                let gsi = gsis.first_device + index as u32;
                let line = self.irqs.event(gsi).map_err(host("make eventfds"))?;
                transport.use_pin(Interrupt::from_eventfd(line), (acpi::FIRST_LINE + gsi) as u8);
            }
            self.see(transport.core());
            functions.push((transport, memory));
        }
        Ok(Some(PciBus::new(Arc::clone(self.vm), ecam, functions)))
    }

    /// Gives each device a register page and a pin.
    fn mmio(&mut self, opened: Vec<Opened>, first_gsi: u32) -> Result<Option<MmioBus>, BuildError> {
        if opened.is_empty() {
            return Ok(None);
        }
        let pages = Mapping::anonymous(opened.len() * PAGE, Pages::Small)?;
        let mut devices = Vec::with_capacity(opened.len());
        for (index, opened) in opened.into_iter().enumerate() {
            let loops = self.prepare(&opened)?;
            let page = pages.part(index * PAGE, PAGE).ok_or(MapError::Empty)?;
            let line = self.irqs.event(first_gsi + index as u32).map_err(host("make eventfds"))?;
            let mut transport = MmioTransport::new(opened.device, self.ram.clone(), loops, page.clone(), line)
                .map_err(host("make eventfds"))?;
            transport.prepare(|core| self.adapt(core));
            self.see(transport.core());
            devices.push((transport, page));
        }
        Ok(Some(MmioBus::new(Arc::clone(self.vm), devices)))
    }

    /// Maps a device's memory and finds the loops that its workers run on.
    fn prepare(&mut self, opened: &Opened) -> Result<Vec<LoopHandle>, BuildError> {
        if let Some(DeviceMemory { start, window, writable }) = &opened.memory {
            self.vm.map_window(*start, window, *writable)?;
        }
        let loops = opened.device.loops();
        if loops == 0 {
            return Ok(vec![self.main.clone()]);
        }
        let role = if opened.device.opens_files() { Role::Files } else { Role::Queue };
        let mut handles = Vec::with_capacity(loops);
        for index in 0..loops {
            let name = format!("{}-{index}", opened.device.name());
            handles.push(loop_thread::start(role, name).map_err(host("start a device's thread"))?);
        }
        self.loops.extend_from_slice(&handles);
        Ok(handles)
    }

    /// What is done to every device before the guest sees it: it counts in the page, and does without some things.
    fn adapt(&mut self, core: &mut Core) {
        let first = self.queues;
        self.queues += core.ports().len();
        core.count_in((first..self.queues).map_while(|queue| self.page.queue(queue)));
        core.withhold(Feature::bits(self.without));
    }

    fn see(&mut self, core: &Core) {
        self.seen.push(DeviceView {
            name: core.name().to_owned(),
            kind: core.kind().name,
            ports: core.ports().to_vec(),
            polls: core.poll_counters().to_vec(),
        });
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({:?}, console: {}, uart: {})", self.files, self.console.is_some(), self.uart.is_some())
    }
}
