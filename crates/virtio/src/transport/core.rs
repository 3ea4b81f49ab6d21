//! A device behind its registers: start, stop and reset (VirtIO 1.3 § 2.1, § 2.4, § 3.1) and the queue registers, once for
//! both transports. The status and the feature bits have files of their own.

use std::sync::Arc;

use illico_memory::{Ram, Window};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::config_space::ConfigWriter;
use crate::counters::{PollCounters, QueueCounters};
use crate::device::{Activation, Device};
use crate::event_loop::{Attached, Fault, LoopHandle};
use crate::interrupt::{Interrupt, signal};
use crate::queue::{Area, Half, Position, QueueSetup, Wiring};
use crate::spec::{Kind, feature, status};
use crate::trace::{TraceSpec, Tracer};
use crate::transport::features::Features;
use crate::transport::status::Status;

/// What a queue keeps across resets.
#[derive(Debug, Clone)]
pub struct QueuePort {
    /// Where kicks arrive.
    pub kick: Arc<EventFd>,
    /// What it did.
    pub counters: Arc<QueueCounters>,
}

/// Where a transport shows registers that change without a write of the driver.
#[derive(Debug, Clone)]
pub struct RegisterView {
    /// The byte of the device status register.
    pub status: Window,
    /// The device's configuration.
    pub config: Window,
    /// The low byte of the configuration generation.
    pub generation: Window,
}

/// The interrupts of a device, as the transport delivers them.
pub trait InterruptLines: Send + Sync {
    /// A queue has used buffers.
    fn queue(&self, index: usize);
    /// The configuration or the status changed.
    fn config(&self);
}

/// The registers behind a transport.
pub struct Core {
    device: Box<dyn Device>,
    ram: Ram,
    loops: Vec<LoopHandle>,
    lines: Arc<dyn InterruptLines>,
    shown: RegisterView,
    status: Arc<Status>,
    features: Features,
    queue_select: u16,
    setups: Vec<QueueSetup>,
    ports: Vec<QueuePort>,
    workers: Vec<Attached>,
    /// Where queues stood when the device was stopped and not reset.
    positions: Vec<Position>,
    /// Whether the device may reach guest memory. Over PCI the driver says so (bus mastering).
    may_reach_memory: bool,
    trace: Option<TraceSpec>,
}

impl Core {
    /// A device at rest. `loops` are the threads that its workers are spread over.
    pub fn new(
        device: Box<dyn Device>,
        ram: Ram,
        loops: Vec<LoopHandle>,
        lines: Arc<dyn InterruptLines>,
        shown: RegisterView,
    ) -> std::io::Result<Self> {
        let sizes = device.queue_sizes();
        let port = |_: &u16| -> std::io::Result<QueuePort> {
            Ok(QueuePort { kick: Arc::new(EventFd::new(EFD_NONBLOCK)?), counters: Arc::default() })
        };
        let ports = sizes.iter().map(port).collect::<Result<_, _>>()?;
        let config = device.config();
        shown.config.copy_from(0, &config);
        let status = Arc::new(Status::new(shown.status.clone()));
        let offered = device.features() | feature::VERSION_1 | feature::INDIRECT_DESC | feature::EVENT_IDX;
        Ok(Self {
            device,
            ram,
            loops,
            lines,
            shown,
            status,
            features: Features::offering(offered),
            queue_select: 0,
            setups: sizes.into_iter().map(QueueSetup::new).collect(),
            ports,
            workers: Vec::new(),
            positions: Vec::new(),
            may_reach_memory: true,
            trace: None,
        })
    }

    /// Shows what passes through its queues, from the driver's next start on.
    pub fn trace(&mut self, spec: TraceSpec) {
        self.trace = Some(spec);
    }

    /// Takes features away from what is offered, before a driver has looked.
    pub fn withhold(&mut self, features: u64) {
        self.features.withhold(features);
    }

    /// Has its queues count elsewhere, as far as `counters` reach, before a driver has looked.
    pub fn count_in(&mut self, counters: impl Iterator<Item = QueueCounters>) {
        for (port, counters) in self.ports.iter_mut().zip(counters) {
            port.counters = Arc::new(counters);
        }
    }

    /// What the device is.
    pub fn kind(&self) -> Kind {
        self.device.kind()
    }

    /// What the device is called.
    pub fn name(&self) -> &str {
        self.device.name()
    }

    /// What polling costs, by queue, if the device polls.
    pub fn poll_counters(&self) -> &[Arc<PollCounters>] {
        self.device.poll_counters()
    }

    /// Its queues' kicks and counters, which stay the same for its whole life.
    pub fn ports(&self) -> &[QueuePort] {
        &self.ports
    }

    /// The feature registers.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The feature registers, for selecting.
    pub fn features_mut(&mut self) -> &mut Features {
        &mut self.features
    }

    /// The driver accepts features; too late once `FEATURES_OK` is set.
    pub fn write_driver_features(&mut self, value: u32) {
        if !self.has(status::FEATURES_OK) {
            self.features.accept(value);
        }
    }

    /// The status register.
    pub fn status(&self) -> u8 {
        self.status.get()
    }

    fn has(&self, bit: u8) -> bool {
        self.status() & bit != 0
    }

    /// The driver writes the status register: a step of § 3.1.1, or a reset.
    pub fn write_status(&mut self, value: u8) {
        if value == 0 {
            self.reset();
            return;
        }
        let before = self.status();
        // A driver only ever adds bits (§ 2.1.1); what it tries to take away stays.
        let mut bits = (before | value) & !status::NEEDS_RESET;
        if value & status::FEATURES_OK != 0 && before & status::FEATURES_OK == 0 && !self.features.are_acceptable() {
            bits &= !status::FEATURES_OK;
        }
        let starts = bits & status::DRIVER_OK != 0 && before & status::DRIVER_OK == 0;
        if starts && bits & status::FEATURES_OK == 0 {
            bits &= !status::DRIVER_OK;
        }
        self.status.set_driver(bits);
        if starts && bits & status::DRIVER_OK != 0 && self.may_reach_memory {
            self.start_or_fail();
        }
    }

    fn start_or_fail(&mut self) {
        if let Err(fault) = self.start() {
            self.workers.clear();
            self.status.fail(self.device.name(), &fault);
            self.lines.config();
        }
    }

    /// Whether the device may reach guest memory. Without, it rests where its queues stand, and goes on from there.
    pub(super) fn set_may_reach_memory(&mut self, may: bool) {
        if std::mem::replace(&mut self.may_reach_memory, may) == may {
            return;
        }
        if !may {
            self.stop();
        } else if self.has(status::DRIVER_OK) && !self.has(status::NEEDS_RESET) {
            self.start_or_fail();
        }
    }

    /// Takes the workers off their loops: nothing of the device is in flight afterwards. Gives where its queues stand,
    /// which is where [`Core::go_on`] begins.
    pub fn stop(&mut self) -> &[Position] {
        if !self.workers.is_empty() {
            self.positions = self.workers.drain(..).flat_map(Attached::stop).collect();
        }
        &self.positions
    }

    /// Starts a stopped device again.
    pub fn go_on(&mut self) {
        if self.workers.is_empty() && self.may_reach_memory && self.has(status::DRIVER_OK) {
            self.start_or_fail();
        }
    }

    fn start(&mut self) -> Result<(), Fault> {
        let mut queues = Vec::with_capacity(self.setups.len());
        for (index, (setup, port)) in self.setups.iter().zip(&self.ports).enumerate() {
            if !setup.ready {
                queues.push(None);
                continue;
            }
            let lines = Arc::clone(&self.lines);
            let wiring = Wiring {
                interrupt: Interrupt::from_fn(move || lines.queue(index)),
                kick: Arc::clone(&port.kick),
                counters: Arc::clone(&port.counters),
            };
            let queue = setup.build(&self.ram, self.features.accepted(), wiring);
            let queue = queue.map_err(|error| Fault::new(format!("queue {index}: {error}")))?;
            let number = index as u16;
            let stood = self.positions.iter().find(|position| position.queue == number);
            let mut queue = queue.at(stood.copied().unwrap_or(Position { queue: number, next: 0, done: 0 }));
            if let Some(spec) =
                self.trace.as_ref().filter(|spec| spec.queue.is_none_or(|one| usize::from(one) == index))
            {
                queue = queue.traced(Tracer::new(format!("{}:{index}", self.device.name()), spec.clone()));
            }
            queues.push(Some(queue));
        }
        let lines = Arc::clone(&self.lines);
        let config = ConfigWriter {
            space: self.shown.config.clone(),
            generation: self.shown.generation.clone(),
            interrupt: Interrupt::from_fn(move || lines.config()),
        };
        let activation = Activation { ram: self.ram.clone(), features: self.features.accepted(), queues, config };
        let workers = self.device.start(activation)?;
        for (worker, handle) in workers.into_iter().zip(self.loops.iter().cycle()) {
            let (status, lines) = (Arc::clone(&self.status), Arc::clone(&self.lines));
            let name = self.device.name().to_owned();
            let on_fault = Box::new(move |fault: &Fault| {
                status.fail(&name, fault);
                lines.config();
            });
            let attached = handle.attach(worker, on_fault);
            self.workers.push(attached.map_err(|error| Fault::new(format!("watching its files: {error}")))?);
        }
        if !self.positions.is_empty() {
            // Chains may have come while nothing watched the kicks.
            self.positions.clear();
            self.ports.iter().for_each(|port| signal(&port.kick));
        }
        Ok(())
    }

    /// § 2.4: back to the state after power on, with no access to guest memory in flight.
    pub fn reset(&mut self) {
        self.stop();
        let Self {
            device: _,
            ram: _,
            loops: _,
            lines: _,
            shown: _,
            status,
            features,
            queue_select,
            setups,
            ports: _,
            workers: _,
            positions,
            may_reach_memory: _,
            trace: _,
        } = self;
        positions.clear();
        features.reset();
        *queue_select = 0;
        for setup in setups {
            *setup = QueueSetup::new(setup.max_size);
        }
        status.reset();
    }

    /// How many queues there are.
    pub fn queue_count(&self) -> u16 {
        self.setups.len() as u16
    }

    /// The queue that the queue registers show.
    pub fn queue_select(&self) -> u16 {
        self.queue_select
    }

    /// Selects the queue that the queue registers show.
    pub fn select_queue(&mut self, select: u16) {
        self.queue_select = select;
    }

    /// The selected queue, or `None` where there is no such queue: it reads as size 0.
    pub fn queue(&self) -> Option<&QueueSetup> {
        self.setups.get(usize::from(self.queue_select))
    }

    /// Before the queue is enabled its registers may be written, afterwards they may not (§ 4.1.4.3.2).
    fn queue_mut(&mut self) -> Option<&mut QueueSetup> {
        if self.has(status::DRIVER_OK) {
            return None;
        }
        self.setups.get_mut(usize::from(self.queue_select)).filter(|setup| !setup.ready)
    }

    /// Sets the size of the selected queue.
    pub fn write_queue_size(&mut self, size: u16) {
        if let Some(setup) = self.queue_mut() {
            setup.size = size;
        }
    }

    /// Sets half of an address of the selected queue.
    pub fn write_queue_address(&mut self, area: Area, half: Half, value: u32) {
        if let Some(setup) = self.queue_mut() {
            setup.write_address(area, half, value);
        }
    }

    /// Enables the selected queue.
    pub fn enable_queue(&mut self) {
        if let Some(setup) = self.queue_mut() {
            setup.ready = true;
        }
    }

    /// Disables the selected queue, which only virtio-mmio can say (§ 4.2.2.2).
    ///
    /// A driver waits until the register reads 0 and then frees the memory of the queue, so a device
    /// that runs is stopped: it cannot work without one of its queues, and the others stay idle
    /// until the reset that follows.
    pub fn disable_queue(&mut self) {
        let Some(setup) = self.setups.get_mut(usize::from(self.queue_select)) else { return };
        if setup.ready {
            self.workers.clear();
            setup.ready = false;
        }
    }

    /// The driver writes to the device's configuration.
    pub fn write_config(&mut self, offset: usize, bytes: &[u8]) {
        self.device.write_config(offset, bytes);
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Core({}, status {:#x})", self.device.name(), self.status())
    }
}
