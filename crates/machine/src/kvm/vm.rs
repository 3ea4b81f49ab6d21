//! One virtual machine: its memory slots, its interrupt routes, and the writes that become events.
//!
//! All interrupt routes are messages. Not here: which GSI means what, what a slot is for, and the interrupt controllers
//! of the architecture.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use illico_memory::{GuestAddress, Ram, Window};
use illico_virtio::interrupt::MsiMessage;
use kvm_bindings::{
    KVM_IRQ_ROUTING_MSI, KVM_MEM_READONLY, KvmIrqRouting, kvm_irq_routing_entry, kvm_irq_routing_msi,
    kvm_userspace_memory_region,
};
use kvm_ioctls::{IoEventAddress, NoDatamatch, VmFd};
use vmm_sys_util::eventfd::EventFd;

use super::{KvmError, Stats, Vcpu, stats};
use crate::arch;
use crate::arch::kvm::CpuModel;
use crate::spans::Spans;

/// What a machine is made with.
#[derive(Debug, Clone, Default)]
pub struct VmOptions {
    /// GSIs that are pins of an interrupt controller of ours, from 0 on: the end of a level-triggered one is an exit.
    pub interrupt_pins: u32,
}

/// A memory slot in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId(u32);

/// What a slot shows the guest; kept because the kernel keeps only the host address.
struct Slot {
    at: GuestAddress,
    _window: Window,
}

/// A virtual machine. Shared, it is wrapped into an `Arc`.
pub struct Vm {
    fd: VmFd,
    slots: Mutex<Vec<Option<Slot>>>,
    spans: Spans,
}

impl Vm {
    pub(super) fn create(kvm: &kvm_ioctls::Kvm, options: &VmOptions, spans: Spans) -> Result<Self, KvmError> {
        let fd =
            spans.timed("KVM_CREATE_VM", || kvm.create_vm()).map_err(KvmError::refused("create a virtual machine"))?;
        arch::kvm::set_up_vm(&fd, options.interrupt_pins, &spans)?;
        Ok(Self { fd, slots: Mutex::default(), spans })
    }

    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    pub(super) fn fd(&self) -> &VmFd {
        &self.fd
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Option<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the guest its RAM.
    pub fn map_ram(&self, ram: &Ram) -> Result<(), KvmError> {
        for region in ram.regions() {
            self.map_window(region.start, &region.window, true)?;
        }
        Ok(())
    }

    /// Shows the guest a window of host memory. If it is not writable for the guest, reads go to memory
    /// without an exit and writes come up as [`Exit::MmioWrite`](super::Exit::MmioWrite).
    pub fn map_window(&self, at: GuestAddress, window: &Window, writable: bool) -> Result<SlotId, KvmError> {
        let mut slots = self.slots();
        let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        let region = kvm_userspace_memory_region {
            slot: free as u32,
            flags: if writable { 0 } else { KVM_MEM_READONLY },
            guest_phys_addr: at.0,
            memory_size: window.len() as u64,
            userspace_addr: window.host_address(),
        };
        let what = || format!("slot {free}, {:#x} bytes at {at}", window.len());
        let result = self.spans.timed_with("KVM_SET_USER_MEMORY_REGION", what, || {
            // SAFETY: the window is mapped memory; the slot table keeps it so until the slot is gone.
            unsafe { self.fd.set_user_memory_region(region) }
        });
        result.map_err(KvmError::refused(format!(
            "map {:#x} bytes of memory at {at} into slot {free}{}",
            window.len(),
            if writable { "" } else { " for reading" }
        )))?;
        let slot = Some(Slot { at, _window: window.clone() });
        match slots.get_mut(free) {
            Some(empty) => *empty = slot,
            None => slots.push(slot),
        }
        Ok(SlotId(free as u32))
    }

    /// Takes a window away from the guest.
    pub fn unmap(&self, slot: SlotId) -> Result<(), KvmError> {
        let mut slots = self.slots();
        let Some(used) = slots.get_mut(slot.0 as usize) else { return Ok(()) };
        let Some(at) = used.as_ref().map(|slot| slot.at) else { return Ok(()) };
        let region = kvm_userspace_memory_region { slot: slot.0, guest_phys_addr: at.0, ..Default::default() };
        // SAFETY: a size of 0 deletes the slot; no memory is passed.
        let result = unsafe { self.fd.set_user_memory_region(region) };
        result.map_err(KvmError::refused(format!("unmap slot {} at {at}", slot.0)))?;
        *used = None;
        Ok(())
    }

    /// Makes a signal on `event` the interrupt of `gsi`, without us.
    pub fn irqfd(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        let done = self.spans.timed_with("KVM_IRQFD", || format!("GSI {gsi}"), || self.fd.register_irqfd(event, gsi));
        done.map_err(KvmError::refused(format!("tie an eventfd to GSI {gsi}")))
    }

    /// Undoes [`Vm::irqfd`].
    pub fn drop_irqfd(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        self.fd.unregister_irqfd(event, gsi).map_err(KvmError::refused(format!("untie an eventfd from GSI {gsi}")))
    }

    /// Makes the guest's writes to `at` signals on `event`, without an exit to us: of four bytes that equal
    /// `datamatch`, or, without one, of any size and any data, which the kernel finds without decoding.
    pub fn ioeventfd(&self, event: &EventFd, at: GuestAddress, datamatch: Option<u32>) -> Result<(), KvmError> {
        let address = IoEventAddress::Mmio(at.0);
        let tied = self.spans.timed_with(
            "KVM_IOEVENTFD",
            || format!("at {at}"),
            || match datamatch {
                Some(data) => self.fd.register_ioevent(event, &address, data),
                None => self.fd.register_ioevent(event, &address, NoDatamatch),
            },
        );
        tied.map_err(KvmError::refused(format!("tie writes at {at} (value {datamatch:?}) to an eventfd")))
    }

    /// Undoes [`Vm::ioeventfd`] of the same arguments.
    pub fn drop_ioeventfd(&self, event: &EventFd, at: GuestAddress, datamatch: Option<u32>) -> Result<(), KvmError> {
        let address = IoEventAddress::Mmio(at.0);
        match datamatch {
            Some(data) => self.fd.unregister_ioevent(event, &address, data),
            None => self.fd.unregister_ioevent(event, &address, NoDatamatch),
        }
        .map_err(KvmError::refused(format!("untie writes at {at} (value {datamatch:?}) from an eventfd")))
    }

    /// Replaces all routes: which message each GSI is. One call waits for all vCPUs (SRCU), so it is worth
    /// collecting changes.
    pub fn set_routes(&self, routes: &[(u32, MsiMessage)]) -> Result<(), KvmError> {
        let entries: Vec<_> = routes.iter().map(|&(gsi, message)| route(gsi, message)).collect();
        let count = entries.len();
        let table = KvmIrqRouting::from_entries(&entries).map_err(|_| KvmError::Refused {
            attempt: format!("set {count} interrupt routes"),
            source: std::io::ErrorKind::InvalidInput.into(),
        })?;
        let set = self.spans.timed_with(
            "KVM_SET_GSI_ROUTING",
            || format!("{count} routes"),
            || self.fd.set_gsi_routing(&table),
        );
        set.map_err(KvmError::refused(format!("set {count} interrupt routes")))
    }

    /// Makes vCPU `index`, which is its APIC id as well. Number 0 is the one that starts.
    pub fn create_vcpu(self: &Arc<Self>, index: u8, model: &CpuModel) -> Result<Vcpu, KvmError> {
        Vcpu::create(self, index, model)
    }

    /// What the guest's kvm-clock reads now, in nanoseconds.
    pub fn clock(&self) -> Result<u64, KvmError> {
        self.fd.get_clock().map(|clock| clock.clock).map_err(KvmError::refused("read the guest's clock"))
    }

    /// The kernel's own counters for the machine, or `None` where it keeps them to itself.
    pub fn stats(&self) -> Result<Option<Stats>, KvmError> {
        stats::of(&self.fd)
    }
}

fn route(gsi: u32, message: MsiMessage) -> kvm_irq_routing_entry {
    let mut entry = kvm_irq_routing_entry { gsi, type_: KVM_IRQ_ROUTING_MSI, ..Default::default() };
    entry.u.msi = kvm_irq_routing_msi {
        address_lo: message.address as u32,
        address_hi: (message.address >> 32) as u32,
        data: message.data,
        ..Default::default()
    };
    entry
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vm").field("slots", &self.slots().len()).finish_non_exhaustive()
    }
}
