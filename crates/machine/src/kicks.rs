//! Where KVM listens for the kicks of a device (ioeventfd; Linux Documentation/virt/kvm/api.rst,
//! KVM_IOEVENTFD).
//!
//! It begins to listen when the driver is ready, and not when the machine is built: each listener
//! leaves the kernel something to clean up once all CPUs have moved on, and a machine that ends before
//! would wait for that for longer than it ran.

use illico_memory::GuestAddress;
use illico_virtio::spec::status::DRIVER_OK;
use illico_virtio::transport::core::Core;

use crate::kvm::{KvmError, Vm};

/// The address of a queue's kick, and the value that goes with it where several queues share one.
pub type Place = (GuestAddress, Option<u32>);

/// What KVM listens to now, for one device.
#[derive(Debug, Default)]
pub struct Kicks {
    places: Vec<Place>,
}

impl Kicks {
    /// Listens at `wanted`, a place for each queue of the device, from the first time on that the
    /// device runs.
    pub fn follow(&mut self, vm: &Vm, core: &Core, wanted: impl Iterator<Item = Place>) -> Result<(), KvmError> {
        if self.places.is_empty() && core.status() & DRIVER_OK == 0 {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.take(core.ports().len()).collect();
        if self.places == wanted {
            return Ok(());
        }
        for ((at, value), port) in std::mem::take(&mut self.places).into_iter().zip(core.ports()) {
            vm.drop_ioeventfd(&port.kick, at, value)?;
        }
        for (&(at, value), port) in wanted.iter().zip(core.ports()) {
            vm.ioeventfd(&port.kick, at, value)?;
            self.places.push((at, value));
        }
        Ok(())
    }
}
