//! A machine that is built: its threads, from the first to the last.
//!
//! [`Machine::run`] serves the control loop on the calling thread, and nothing else there may wait: vCPUs and devices
//! have threads of their own. So a vCPU that sits in a device, a device whose reset never ends or a disk that never
//! answers cannot keep a person from ending the machine. The last vCPU that leaves the guest takes the devices off
//! their queues. What has not come back when the time is over is left behind and named in the [`Outcome`].

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Instant;

use illico_virtio::complaints::say;
use illico_virtio::counters::PollCounters;
use illico_virtio::event_loop::{EventLoop, LoopHandle};
use illico_virtio::socket_file::SocketFile;
use illico_virtio::trace::TraceSpec;
use illico_virtio::transport::core::QueuePort;

use crate::bus::Bus;
use crate::control::{Control, End};
use crate::exit_samples::{self, Sampler};
use crate::exits::{Party, VcpuExits};
use crate::kicks::KickCount;
use crate::kvm::{Vcpu, Vm};
use crate::live::{Page, Refresher};
use crate::loop_thread::LoopThread;
use crate::report::{DeviceReport, KERNEL, KernelTotals, PollReport, QueueReport, Report, VcpuFigures};
use crate::spans::Spans;
use crate::threads::{self, Role};
use crate::timeline::Timeline;
use crate::vcpu_thread::VcpuThread;
use crate::{boot, guest_log};

/// A machine, ready to run.
#[derive(Debug)]
pub struct Machine {
    pub(crate) vm: Arc<Vm>,
    pub(crate) vcpus: Vec<VcpuThread>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) control_loop: EventLoop,
    pub(crate) main_loop: EventLoop,
    pub(crate) main_thread: LoopThread,
    pub(crate) loops: Vec<LoopHandle>,
    pub(crate) control: Control,
    pub(crate) seen: Vec<DeviceView>,
    /// Removed at the end, however the machine ends.
    pub(crate) sockets: Vec<SocketFile>,
    pub(crate) page: Page,
    pub(crate) history: History,
}

/// What collects the machine's time, and where to look for the guest's share when it has ended.
#[derive(Debug)]
pub struct History {
    pub(crate) spans: Spans,
    pub(crate) guest_clock_zero: Option<i64>,
    pub(crate) log_places: Vec<boot::range::Range>,
}

/// The counters of a device, read while it runs and afterwards.
#[derive(Debug)]
pub struct DeviceView {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Kicks and counters of its queues.
    pub ports: Vec<QueuePort>,
    /// What polling cost, by queue, if it polls.
    pub polls: Vec<Arc<PollCounters>>,
}

impl DeviceView {
    fn report(&self) -> DeviceReport {
        let queue = |(queue, port): (usize, &QueuePort)| {
            let counters = &port.counters;
            QueueReport {
                queue,
                // The value of the eventfd, read once: the data path never reads it.
                kicks: port.kick.read().unwrap_or(0),
                interrupts: counters.interrupts.get(),
                suppressed: counters.suppressed.get(),
                requests: counters.requests.get(),
                bytes_from_guest: counters.bytes_from_guest.get(),
                bytes_to_guest: counters.bytes_to_guest.get(),
                polling: self.polls.get(queue).map(|polls| PollReport {
                    found: polls.found.get(),
                    empty: polls.empty.get(),
                    nanoseconds: polls.nanoseconds.get(),
                }),
            }
        };
        let queues = self.ports.iter().enumerate().map(queue).collect();
        DeviceReport { name: self.name.clone(), kind: self.kind.into(), queues }
    }
}

/// How a machine ended, with all that was counted.
#[derive(Debug)]
pub struct Outcome {
    /// Why.
    pub end: End,
    /// What did not stop when the machine was ended by force: a thread of each is still somewhere in the host's kernel or
    /// in a device, and ends with the process. Empty as a rule.
    pub left_behind: Vec<String>,
    /// What it tells of its time, if spans are collected.
    pub timeline: Option<Timeline>,
    vcpus: Vec<(u8, Arc<VcpuExits>, Option<Vcpu>)>,
    seen: Vec<DeviceView>,
}

impl Outcome {
    /// Where its exits went. To be asked once: kicks are counted in eventfds, and reading empties them.
    pub fn report(&self) -> Report {
        let figures = |(index, exits, vcpu): &(u8, Arc<VcpuExits>, Option<Vcpu>)| VcpuFigures {
            index: *index,
            table: exits.rows(),
            eoi: exits.eoi.get(),
            interrupted: exits.interrupted.get(),
            // Without the kernel's totals, or with a vCPU that was left behind, the rest is still reported.
            kernel: vcpu
                .as_ref()
                .and_then(|vcpu| vcpu.stats().ok().flatten())
                .map_or_else(KernelTotals::default, |stats| KernelTotals::of(&stats)),
        };
        let vcpus: Vec<_> = self.vcpus.iter().map(figures).collect();
        let fixed = Party::FIXED.into_iter().map(|party| party.name().to_owned());
        let parties: Vec<_> = fixed.chain(self.seen.iter().map(|seen| seen.name.clone())).collect();
        Report::new(&parties, &vcpus, self.seen.iter().map(DeviceView::report).collect())
    }
}

impl Machine {
    /// What its devices are called, in order.
    pub fn device_names(&self) -> impl Iterator<Item = &str> {
        self.seen.iter().map(|seen| seen.name.as_str())
    }

    /// How many queues a device has, if there is one of that name.
    pub fn queue_count(&self, device: &str) -> Option<usize> {
        self.seen.iter().find(|seen| seen.name == device).map(|seen| seen.ports.len())
    }

    /// Shows what passes through the queues of the device of that name.
    pub fn trace(&mut self, device: &str, spec: TraceSpec) {
        let Some(index) = self.seen.iter().position(|seen| seen.name == device) else { return };
        match (&self.bus.pci, &self.bus.mmio) {
            (Some(bus), _) => bus.prepare(index, |core| core.trace(spec)),
            (None, Some(bus)) => bus.prepare(index, |core| core.trace(spec)),
            (None, None) => {}
        }
    }

    /// What brings the rest of the figures into the page of counters while the machine runs.
    pub fn refresher(&self) -> io::Result<Refresher> {
        let stats = self.vcpus.iter().map(|thread| thread.vcpu.stats_reader(&KERNEL).map_err(io::Error::other));
        let queues = self.seen.iter().flat_map(|seen| {
            let polls = seen.polls.iter().cloned().map(Some).chain(std::iter::repeat(None));
            seen.ports.iter().map(|port| Arc::clone(&port.kick)).zip(polls)
        });
        Refresher::new(self.page.clone(), stats.collect::<io::Result<_>>()?, queues)
    }

    /// A way to reach it while it runs.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The control loop, for what ends the machine and for what must work whatever devices do. Workers on it never wait.
    pub fn control_loop(&mut self) -> &mut EventLoop {
        &mut self.control_loop
    }

    /// The loop that devices share, for what belongs to a device.
    pub fn main_loop(&mut self) -> &mut EventLoop {
        &mut self.main_loop
    }

    /// Takes what is typed for the UART, if the machine has one.
    pub fn uart_input(&self) -> impl FnMut(&[u8]) + Send + 'static {
        let bus = Arc::clone(&self.bus);
        move |bytes| bus.platform.type_into_uart(bytes)
    }

    /// Runs the machine until it ends, with the control loop on this thread.
    pub fn run(self) -> io::Result<Outcome> {
        let Self { vm, vcpus, bus, control_loop, mut main_loop, main_thread, loops, control, seen, .. } = self;
        let (sockets, History { spans, guest_clock_zero, log_places }) = (self.sockets, self.history);
        let beginning = spans.open("start the threads");
        // Kept for what the guest leaves behind.
        let ram = if spans.are_kept() { vcpus.first().map(|vcpu| vcpu.ram.clone()) } else { None };
        let sampler = if spans.are_kept() { Some(sample(vm, &vcpus, &seen, spans.clone())?) } else { None };
        // Most of the program was for building the machine. Not before there is time for it, and on a thread that no guest
        // waits for.
        main_loop.once_at_rest(illico_memory::give_back_program);
        let failed = control.clone();
        let main_thread = main_thread.serve(main_loop, move || failed.stop());
        let exits: Vec<_> = vcpus.iter().map(|vcpu| (vcpu.index, Arc::clone(&vcpu.exits))).collect();
        let (leaving, left) = channel();
        let last = Last::new(vcpus.len(), Arc::clone(&bus), control_loop.handle());
        let mut threads = Vec::with_capacity(vcpus.len());
        // No vCPU enters the guest before each of these threads has its role.
        let gate = Arc::new(RwLock::new(()));
        let closed = gate.write();
        for vcpu in vcpus {
            let (index, leaving, last, gate) = (vcpu.index, leaving.clone(), last.clone(), Arc::clone(&gate));
            let body = move || {
                drop(gate.read());
                // The receiver is there for as long as anything waits for this vCPU.
                let _ = leaving.send((index, vcpu.run()));
                last.leave();
            };
            // Without one of its vCPUs a machine must not run, and those that do are told to end.
            let thread = threads::spawn(Role::Vcpu, format!("vcpu{index}"), body);
            threads.push(thread.inspect_err(|_| control.stop())?);
        }
        // No thread is started from here on.
        threads::start_here(Role::Control);
        drop(closed);
        drop(beginning);
        spans.mark("first KVM_RUN");
        if let Err(error) = control_loop.run() {
            say(&format!("the control loop cannot go on: {error}"));
            control.stop();
        }
        let mut vcpus: Vec<_> = exits.into_iter().map(|(index, exits)| (index, exits, None)).collect();
        for (index, vcpu) in left.try_iter() {
            if let Some(known) = vcpus.iter_mut().find(|known| known.0 == index) {
                known.2 = Some(vcpu);
            }
        }
        let mut left_behind: Vec<_> =
            vcpus.iter().filter(|known| known.2.is_none()).map(|known| format!("vCPU {}", known.0)).collect();
        match last.times() {
            Some(Times { guest_ended, devices_off }) => {
                // They have nothing left to do but to close the devices' files, which the next machine may want.
                threads.into_iter().for_each(|thread| drop(thread.join()));
                spans.between("the guest ended", guest_ended, guest_ended);
                spans.between("take the devices off their queues", guest_ended, devices_off);
            }
            None if left_behind.is_empty() => left_behind.push("a device".to_owned()),
            None => {}
        }
        let timeline = sampler.zip(ram).map(|(sampler, ram)| {
            let exits = sampler.stop();
            let log = spans.timed("read the guest's log", || guest_log::find(&ram, &log_places));
            Timeline { guest_clock_zero, log, exits }
        });
        // The threads of loops are not waited for: nothing of the guest is left on them, or they are left behind.
        main_thread.stop();
        loops.iter().for_each(LoopHandle::stop);
        drop(sockets);
        let end = control.ending.get().cloned().unwrap_or(End::Stopped);
        Ok(Outcome { end, left_behind, timeline, vcpus, seen })
    }
}

/// When the guest had ended and when its devices were off their queues.
#[derive(Debug, Clone, Copy)]
struct Times {
    guest_ended: Instant,
    devices_off: Instant,
}

/// What the last vCPU does that leaves the guest. Clones are of the same machine.
#[derive(Clone)]
struct Last(Arc<LastInner>);

struct LastInner {
    inside: AtomicUsize,
    bus: Arc<Bus>,
    control_loop: LoopHandle,
    times: OnceLock<Times>,
}

impl Last {
    fn new(vcpus: usize, bus: Arc<Bus>, control_loop: LoopHandle) -> Self {
        Self(Arc::new(LastInner { inside: AtomicUsize::new(vcpus), bus, control_loop, times: OnceLock::new() }))
    }

    /// A vCPU has left. The last one has devices finish what is in flight, and then ends the control loop.
    fn leave(&self) {
        if self.0.inside.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let guest_ended = Instant::now();
        self.0.bus.reset();
        let _ = self.0.times.set(Times { guest_ended, devices_off: Instant::now() });
        self.0.control_loop.stop();
    }

    /// `None` where not all vCPUs have left, or a device is not off its queues.
    fn times(&self) -> Option<Times> {
        self.0.times.get().copied()
    }
}

/// Begins to look at the exits while they go on.
fn sample(vm: Arc<Vm>, vcpus: &[VcpuThread], seen: &[DeviceView], spans: Spans) -> io::Result<Sampler> {
    let reader = |vcpu: &VcpuThread| {
        // A kernel that does not tell is no reason to keep the rest back.
        let stats = vcpu.vcpu.stats_reader(exit_samples::wanted()).ok().flatten();
        (Arc::clone(&vcpu.exits), stats)
    };
    let kicks = seen.iter().flat_map(|seen| &seen.ports).map(|port| KickCount::of(Arc::clone(&port.kick)));
    let (kicks, names) = (kicks.collect::<io::Result<_>>()?, seen.iter().map(|seen| seen.name.clone()));
    Sampler::start(Some(vm), vcpus.iter().map(reader).collect(), names, kicks, spans)
}
