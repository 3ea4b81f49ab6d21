//! Interrupts: every one is a message (MSI), whether a device's MSI-X vector or a pin of our IOAPIC.
//!
//! A GSI is an eventfd that KVM turns into the message of its route (irqfd). Masking takes the eventfd
//! off KVM; a signal that comes meanwhile stays in it, and KVM delivers it when it is given the eventfd
//! back (Linux Documentation/virt/kvm/api.rst, KVM_IRQFD). So nothing is lost and nothing is emulated.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use illico_virtio::complaints::RateLimited;
use illico_virtio::interrupt::{MsiMessage, signal};
use illico_virtio::transport::pci::Vectors;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::kvm::{KvmError, Vm};

/// All GSIs of a machine: first the pins of the IOAPIC, then the vectors of each device.
#[derive(Debug)]
pub struct Irqs {
    vm: Arc<Vm>,
    lines: Vec<Line>,
    routes: Mutex<Vec<Option<MsiMessage>>>,
    complaints: RateLimited,
}

#[derive(Debug)]
struct Line {
    event: EventFd,
    masked: AtomicBool,
}

impl Irqs {
    /// `count` GSIs, all masked.
    pub fn new(vm: Arc<Vm>, count: u32) -> io::Result<Self> {
        let line = |_| Ok(Line { event: EventFd::new(EFD_NONBLOCK)?, masked: AtomicBool::new(true) });
        let lines = (0..count).map(line).collect::<io::Result<Vec<_>>>()?;
        let routes = Mutex::new(vec![None; lines.len()]);
        Ok(Self { vm, lines, routes, complaints: RateLimited::default() })
    }

    /// Signals a GSI.
    pub fn raise(&self, gsi: u32) {
        if let Some(line) = self.lines.get(gsi as usize) {
            signal(&line.event);
        }
    }

    /// The eventfd of a GSI, for a device that signals it directly.
    pub fn event(&self, gsi: u32) -> io::Result<EventFd> {
        let line = self.lines.get(gsi as usize).ok_or(io::ErrorKind::NotFound)?;
        line.event.try_clone()
    }

    fn is_masked(&self, gsi: u32) -> bool {
        self.lines.get(gsi as usize).is_none_or(|line| line.masked.load(Ordering::Acquire))
    }

    /// Gives a GSI a message, or masks it.
    ///
    /// KVM can refuse only for want of memory or for a message that does not exist on this host; the
    /// guest then gets no interrupts of this GSI, which is logged.
    pub fn route(&self, gsi: u32, message: Option<MsiMessage>) {
        if let Err(error) = self.try_route(gsi, message) {
            self.complaints.log(|| format!("GSI {gsi} stays silent: {error}"));
        }
    }

    fn try_route(&self, gsi: u32, message: Option<MsiMessage>) -> Result<(), KvmError> {
        let Some(line) = self.lines.get(gsi as usize) else { return Ok(()) };
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(route) = routes.get_mut(gsi as usize) else { return Ok(()) };
        if message.is_none() {
            if !line.masked.swap(true, Ordering::AcqRel) {
                self.vm.drop_irqfd(&line.event, gsi)?;
            }
            // The route stays in KVM's table, where it is never signalled: leaving it saves one KVM_SET_GSI_ROUTING.
            return Ok(());
        }
        if *route != message {
            *route = message;
            let table: Vec<_> = (0..).zip(routes.iter()).filter_map(|(gsi, route)| Some((gsi, (*route)?))).collect();
            self.vm.set_routes(&table)?;
        }
        if line.masked.load(Ordering::Acquire) {
            self.vm.irqfd(&line.event, gsi)?;
            line.masked.store(false, Ordering::Release);
        }
        Ok(())
    }
}

/// The MSI-X vectors of one device: a run of GSIs.
#[derive(Debug)]
pub struct DeviceVectors {
    /// All GSIs.
    pub irqs: Arc<Irqs>,
    /// The GSI of vector 0.
    pub first: u32,
}

impl Vectors for DeviceVectors {
    fn raise(&self, vector: u16) {
        self.irqs.raise(self.first + u32::from(vector));
    }

    fn is_masked(&self, vector: u16) -> bool {
        self.irqs.is_masked(self.first + u32::from(vector))
    }

    fn route(&self, vector: u16, message: Option<MsiMessage>) {
        self.irqs.route(self.first + u32::from(vector), message);
    }
}
