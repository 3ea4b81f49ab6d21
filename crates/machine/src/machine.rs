//! A machine that is built: its threads, from the first to the last.

use std::io;
use std::sync::Arc;

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
use crate::timeline::{self, timed};
use crate::vcpu_thread::VcpuThread;

/// A machine, ready to run.
#[derive(Debug)]
pub struct Machine {
    pub(crate) vm: Arc<Vm>,
    pub(crate) vcpus: Vec<VcpuThread>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) main_loop: EventLoop,
    pub(crate) main_thread: LoopThread,
    pub(crate) loops: Vec<LoopHandle>,
    pub(crate) control: Control,
    pub(crate) seen: Vec<Seen>,
    /// Removed at the end, however the machine ends.
    pub(crate) sockets: Vec<SocketFile>,
    pub(crate) page: Page,
}

/// What is looked at of a device while it runs and afterwards.
#[derive(Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Kicks and counters of its queues.
    pub ports: Vec<QueuePort>,
    /// What polling cost, by queue, if it polls.
    pub polls: Vec<Arc<PollCounters>>,
}

impl Seen {
    fn report(&self) -> DeviceReport {
        let queue = |(queue, port): (usize, &QueuePort)| {
            let counters = &port.counters;
            QueueReport {
                queue,
                // The value of the eventfd, read once: nobody reads it on the data path.
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
    vcpus: Vec<(u8, Arc<VcpuExits>, Vcpu)>,
    seen: Vec<Seen>,
}

impl Outcome {
    /// Where its exits went. To be asked once: kicks are counted in eventfds, and reading empties them.
    pub fn report(&self) -> Report {
        let figures = |(index, exits, vcpu): &(u8, Arc<VcpuExits>, Vcpu)| VcpuFigures {
            index: *index,
            table: exits.rows(),
            eoi: exits.eoi.get(),
            interrupted: exits.interrupted.get(),
            // A kernel that does not tell is no reason to keep the rest back.
            kernel: vcpu.stats().ok().flatten().map_or_else(KernelTotals::default, |stats| KernelTotals::of(&stats)),
        };
        let vcpus: Vec<_> = self.vcpus.iter().map(figures).collect();
        let fixed = Party::FIXED.into_iter().map(|party| party.name().to_owned());
        let parties: Vec<_> = fixed.chain(self.seen.iter().map(|seen| seen.name.clone())).collect();
        Report::new(&parties, &vcpus, self.seen.iter().map(Seen::report).collect())
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

    /// The loop that devices share, for whatever else shall be watched while the machine runs.
    pub fn main_loop(&mut self) -> &mut EventLoop {
        &mut self.main_loop
    }

    /// Takes what is typed for the UART, if the machine has one.
    pub fn uart_input(&self) -> impl FnMut(&[u8]) + Send + 'static {
        let bus = Arc::clone(&self.bus);
        move |bytes| bus.type_into_uart(bytes)
    }

    /// Runs the first vCPU on this thread, and the rest of the machine on its own, until it ends.
    pub fn run(self) -> io::Result<Outcome> {
        let Self { vm, vcpus, bus, mut main_loop, main_thread, loops, control, seen, sockets, page: _ } = self;
        let beginning = timeline::span("start the threads");
        // Kept for what the guest leaves behind.
        let ram = if timeline::is_on() { vcpus.first().map(|vcpu| vcpu.ram.clone()) } else { None };
        let sampler = if timeline::is_on() { Some(sample(vm, &vcpus, &seen)?) } else { None };
        // Most of the program was for building the machine. Not before there is time for it, and on a thread that no guest
        // waits for.
        main_loop.once_at_rest(illico_memory::give_back_program);
        let failed = control.clone();
        let main_thread = main_thread.serve(main_loop, move || failed.stop());
        let mut vcpus = vcpus.into_iter();
        let first = vcpus.next().ok_or_else(|| io::Error::other("a machine without a vCPU"))?;
        let mut threads = Vec::with_capacity(vcpus.len());
        for vcpu in vcpus {
            let (index, exits) = (vcpu.index, Arc::clone(&vcpu.exits));
            let thread = std::thread::Builder::new().name(format!("vcpu{index}")).spawn(move || vcpu.run());
            // Without one of its vCPUs a machine must not run, and those that do wait for its end.
            let thread = thread.inspect_err(|_| control.stop())?;
            threads.push((index, exits, thread));
        }
        drop(beginning);
        timeline::mark("first KVM_RUN");
        let mut vcpus = vec![(first.index, Arc::clone(&first.exits), first.run())];
        timeline::mark("the guest ended");
        for (index, exits, thread) in threads {
            let vcpu = thread.join().map_err(|_| io::Error::other(format!("the thread of vCPU {index} panicked")))?;
            vcpus.push((index, exits, vcpu));
        }
        // Devices finish what is in flight before the threads of their loops end. Nobody waits for those:
        // nothing of the guest is left on them.
        timed("take the devices off their queues", || bus.reset());
        if let Some(sampler) = sampler {
            timeline::add_exits(sampler.stop());
        }
        if let Some(ram) = ram {
            timed("read the guest's log", || timeline::read_log(&ram));
        }
        main_thread.stop();
        loops.iter().for_each(LoopHandle::stop);
        drop(sockets);
        let end = control.ending.get().cloned().unwrap_or(End::Stopped);
        Ok(Outcome { end, vcpus, seen })
    }
}

/// Begins to look at the exits while they go on.
fn sample(vm: Arc<Vm>, vcpus: &[VcpuThread], seen: &[Seen]) -> io::Result<Sampler> {
    let reader = |vcpu: &VcpuThread| {
        // A kernel that does not tell is no reason to keep the rest back.
        let stats = vcpu.vcpu.stats_reader(exit_samples::wanted()).ok().flatten();
        (Arc::clone(&vcpu.exits), stats)
    };
    let kicks = seen.iter().flat_map(|seen| &seen.ports).map(|port| KickCount::of(Arc::clone(&port.kick)));
    let (kicks, names) = (kicks.collect::<io::Result<_>>()?, seen.iter().map(|seen| seen.name.clone()));
    Sampler::start(Some(vm), vcpus.iter().map(reader).collect(), names, kicks)
}
