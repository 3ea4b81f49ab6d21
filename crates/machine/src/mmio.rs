//! The virtio-mmio devices: a page of registers each, one behind the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use illico_memory::{GuestAddress, Window};
use illico_virtio::complaints::RateLimited;
use illico_virtio::transport::core::Core;
use illico_virtio::transport::mmio::{MmioTransport, PAGE, QUEUE_NOTIFY};

use crate::kicks::Kicks;
use crate::kvm::Vm;
use crate::lazy_slot::LazySlot;

/// Where the first page is.
pub const START: GuestAddress = GuestAddress(0xd000_0000);

/// Where page number `index` is.
pub fn page(index: usize) -> GuestAddress {
    GuestAddress(START.0 + (index * PAGE) as u64)
}

/// One device, and where KVM listens for its kicks.
struct Device {
    transport: MmioTransport,
    page: LazySlot,
    kicks: Kicks,
    complaints: RateLimited,
}

/// All of them.
pub struct MmioBus {
    vm: Arc<Vm>,
    devices: Vec<Mutex<Device>>,
}

impl MmioBus {
    /// Devices in order, each with its page, which the guest sees from its first look on.
    pub fn new(vm: Arc<Vm>, devices: Vec<(MmioTransport, Window)>) -> Self {
        let device = |(index, (transport, window))| {
            let page = LazySlot::new(Arc::clone(&vm), page(index), window);
            Mutex::new(Device { transport, page, kicks: Kicks::default(), complaints: RateLimited::default() })
        };
        let devices = devices.into_iter().enumerate().map(device).collect();
        Self { vm, devices }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Changes what is behind a transport, before a driver has looked.
    pub fn prepare(&self, index: usize, change: impl FnOnce(&mut Core)) {
        if let Some(device) = self.devices.get(index) {
            lock(device).transport.prepare(change);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Number of the device whose page holds an address, and the offset in it.
    pub fn find(&self, at: GuestAddress) -> Option<(usize, u64)> {
        let offset = at.0.checked_sub(START.0)?;
        let index = usize::try_from(offset / PAGE as u64).ok()?;
        (index < self.devices.len()).then_some((index, offset % PAGE as u64))
    }

    /// A read: the first, or on a host that exits for all.
    pub fn read(&self, index: usize, offset: u64, out: &mut [u8]) {
        let device = lock(&self.devices[index]);
        device.page.touch();
        device.transport.read(offset, out);
    }

    /// A write to a register.
    pub fn write(&self, index: usize, offset: u64, bytes: &[u8]) {
        let Device { transport, page: shown, kicks, complaints } = &mut *lock(&self.devices[index]);
        shown.touch();
        transport.write(offset, bytes);
        let notify = GuestAddress(page(index).0 + QUEUE_NOTIFY);
        let places = (0..).map(|queue| (notify, Some(queue)));
        if let Err(error) = kicks.follow(&self.vm, transport.core(), places) {
            complaints.log(|| format!("{}: its kicks cannot be heard: {error}", transport.core().name()));
        }
    }

    /// Resets every device: nothing of theirs is in flight afterwards.
    pub fn reset(&self) {
        for device in &self.devices {
            lock(device).transport.reset();
        }
    }
}

fn lock(device: &Mutex<Device>) -> MutexGuard<'_, Device> {
    // Config-plane only: requests never pass here. A panic ends the process, so poison cannot be seen.
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for MmioBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MmioBus({} devices)", self.devices.len())
    }
}
