//! A machine that is built: its threads, from the first to the last.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use illico_virtio::block::PollCounters;
use illico_virtio::event_loop::{EventLoop, LoopHandle};
use illico_virtio::transport::core::QueuePort;

use crate::bus::Bus;
use crate::control::{Control, End};
use crate::exits::VcpuExits;
use crate::report::{DeviceReport, PollReport, QueueReport, Report, VcpuFigures};
use crate::vcpu_thread::VcpuThread;

/// A machine, ready to run.
#[derive(Debug)]
pub struct Machine {
    pub(crate) vcpus: Vec<VcpuThread>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) main_loop: EventLoop,
    pub(crate) loops: Vec<DeviceLoop>,
    pub(crate) control: Control,
    pub(crate) seen: Vec<Seen>,
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
        DeviceReport { name: self.name.clone(), kind: self.kind, queues }
    }
}

/// A thread with a loop for the workers of one device.
#[derive(Debug)]
pub struct DeviceLoop {
    handle: LoopHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl DeviceLoop {
    /// Starts the thread.
    pub fn start(name: String) -> io::Result<Self> {
        let event_loop = EventLoop::new()?;
        let handle = event_loop.handle();
        let thread = std::thread::Builder::new().name(name).spawn(move || event_loop.run())?;
        Ok(Self { handle, thread })
    }

    /// A way to reach the loop.
    pub fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }
}

/// How a machine ended and what it did.
#[derive(Debug)]
pub struct Outcome {
    /// Why.
    pub end: End,
    /// Where its exits went.
    pub report: Report,
}

impl Machine {
    /// A way to reach it while it runs.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The loop of the thread that will call `run`, for whatever else that thread shall watch.
    pub fn main_loop(&mut self) -> &mut EventLoop {
        &mut self.main_loop
    }

    /// Takes what is typed for the UART, if the machine has one.
    pub fn uart_input(&self) -> impl FnMut(&[u8]) + Send + 'static {
        let bus = Arc::clone(&self.bus);
        move |bytes| bus.type_into_uart(bytes)
    }

    /// Runs the machine on this thread and its vCPUs on theirs, until it ends.
    pub fn run(self) -> io::Result<Outcome> {
        let Self { vcpus, bus, main_loop, loops, control, seen } = self;
        let mut threads = Vec::with_capacity(vcpus.len());
        for vcpu in vcpus {
            let (index, exits, kick) = (vcpu.index, Arc::clone(&vcpu.exits), vcpu.vcpu.kick_handle());
            let thread = std::thread::Builder::new().name(format!("vcpu{index}")).spawn(move || vcpu.run())?;
            threads.push((index, exits, kick, thread));
        }
        let served = main_loop.run();
        // Without its main loop a machine cannot go on, whatever the reason.
        control.stop();
        for (_, _, kick, _) in &threads {
            kick.kick();
        }
        let mut figures: Vec<(u8, Arc<VcpuExits>, _)> = Vec::with_capacity(threads.len());
        for (index, exits, _, thread) in threads {
            let vcpu = thread.join().map_err(|_| io::Error::other(format!("the thread of vCPU {index} panicked")))?;
            figures.push((index, exits, vcpu.stats().ok().flatten()));
        }
        // Devices on threads of their own finish what is in flight before their threads end.
        bus.reset();
        for device_loop in loops {
            device_loop.handle.stop();
            device_loop.thread.join().map_err(|_| io::Error::other("a device's thread panicked"))??;
        }
        served?;
        let vcpus: Vec<_> = figures
            .iter_mut()
            .map(|(index, exits, stats)| VcpuFigures { index: *index, exits, stats: stats.take() })
            .collect();
        let devices = seen.iter().map(Seen::report).collect();
        let end = control.ending.get().cloned().unwrap_or(End::Stopped);
        Ok(Outcome { end, report: Report::new(&vcpus, devices) })
    }
}
