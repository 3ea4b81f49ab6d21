//! Where KVM listens for the kicks of a device (ioeventfd; Linux Documentation/virt/kvm/api.rst,
//! KVM_IOEVENTFD).
//!
//! It begins to listen when the driver is ready, and not when the machine is built: each listener
//! leaves the kernel something to clean up once all CPUs have moved on, and a machine that ends before
//! would wait for that for longer than it ran.
//!
//! What KVM heard so far is told as well, by [`KickCount`].

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use illico_memory::GuestAddress;
use illico_virtio::spec::status::DRIVER_OK;
use illico_virtio::transport::core::Core;
use vmm_sys_util::eventfd::EventFd;

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

/// The kicks of a queue so far: the value of its eventfd by its `fdinfo` (Linux Documentation/filesystems/proc.rst), where
/// looking does not reset it.
#[derive(Debug)]
pub struct KickCount {
    /// Keeps the number of the descriptor what it is.
    _kick: Arc<EventFd>,
    info: File,
}

impl KickCount {
    /// Of this eventfd.
    pub fn of(kick: Arc<EventFd>) -> io::Result<Self> {
        let info = File::open(format!("/proc/self/fdinfo/{}", kick.as_raw_fd()))?;
        Ok(Self { _kick: kick, info })
    }

    /// How many there are now.
    pub fn now(&self) -> Option<u64> {
        let mut bytes = [0; 512];
        let len = self.info.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix("eventfd-count:"))?;
        u64::from_str_radix(value.trim(), 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kicks_are_looked_at_and_stay_where_they_are() {
        let kick = Arc::new(EventFd::new(0).unwrap());
        let count = KickCount::of(Arc::clone(&kick)).unwrap();
        assert_eq!(count.now(), Some(0));
        for _ in 0..300 {
            kick.write(1).unwrap();
        }
        assert_eq!((count.now(), count.now()), (Some(300), Some(300)));
        assert_eq!(kick.read().unwrap(), 300);
    }
}
