//! PCI bus 0: configuration space and BARs of the virtio functions, and where KVM has been told that
//! they are.
//!
//! The whole of configuration space (ECAM, PCI Express Base 5.0 § 7.2.2) is one read-only memory slot:
//! a guest enumerates the bus without an exit. BARs are assigned before the guest is entered; a guest
//! that moves one exits for it, and the slot and the eventfds behind it move along.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use illico_memory::{GuestAddress, MapError, Mapping, Pages, Window};
use illico_virtio::complaints::{RateLimited, say};
use illico_virtio::transport::core::Core;
use illico_virtio::transport::pci::{BAR_MEMORY, BAR_SIZE, NOTIFY, NOTIFY_STRIDE, PciTransport};

use crate::kicks::Kicks;
use crate::kvm::{KvmError, SlotId, Vm};

/// Where configuration space is.
pub const ECAM: GuestAddress = GuestAddress(0xe000_0000);
/// Its size: one bus.
pub const ECAM_SIZE: u64 = 1 << 20;
/// Where BARs are.
pub const WINDOW: GuestAddress = GuestAddress(0xc000_0000);
/// Bytes for BARs.
pub const WINDOW_SIZE: u64 = 0x1000_0000;
/// Functions at most: devices 1 to 31 of the bus. Device 0 is where a guest expects a host bridge.
pub const MAX_FUNCTIONS: usize = 31;

const PAGE: u64 = 0x1000;
/// Bytes of configuration space from one device to the next: eight functions.
const DEVICE_STRIDE: u64 = 8 * PAGE;

/// Configuration space as memory, before functions are put into it.
#[derive(Debug)]
pub struct Ecam(Window);

impl Ecam {
    /// A bus without functions.
    pub fn new() -> Result<Self, MapError> {
        Ok(Self(Mapping::anonymous(ECAM_SIZE as usize, Pages::Small)?))
    }

    /// Makes every device read as all ones, which means that it is absent, but for the first
    /// `functions` after the host bridge's place.
    fn leave_out_all_but(&self, functions: usize) {
        // Only function 0 of each device is ever looked at: a second one needs a bit in the first.
        for device in (0..32).filter(|device| !(1..=functions).contains(device)) {
            self.0.fill(device * DEVICE_STRIDE as usize, PAGE as usize, 0xff);
        }
    }

    /// The configuration space of function number `index`.
    pub fn function(&self, index: usize) -> Option<Window> {
        self.0.part((index + 1) * DEVICE_STRIDE as usize, PAGE as usize).filter(|_| index < MAX_FUNCTIONS)
    }
}

/// Where BAR 0 of function number `index` lies at first.
pub fn initial_bar(index: usize) -> GuestAddress {
    GuestAddress(WINDOW.0 + index as u64 * BAR_SIZE)
}

/// One function, and where KVM thinks that its BAR is.
struct Function {
    transport: PciTransport,
    memory: Window,
    placed: Option<(GuestAddress, SlotId)>,
    kicks: Kicks,
    complaints: RateLimited,
}

impl Function {
    fn complain(&self, why: impl FnOnce() -> String) {
        self.complaints.log(|| format!("{}: {}", self.transport.core().name(), why()));
    }
}

/// The bus.
pub struct PciBus {
    vm: Arc<Vm>,
    ecam: Ecam,
    /// Set by the guest's first look at configuration space.
    seen: Once,
    /// Configuration space as memory of the guest, but for while a read of it has effects.
    shown: Mutex<Option<SlotId>>,
    functions: Vec<Mutex<Function>>,
}

impl PciBus {
    /// Functions in order, each with the memory part of its BAR.
    pub fn new(vm: Arc<Vm>, ecam: Ecam, functions: Vec<(PciTransport, Window)>) -> Self {
        let function = |(transport, memory)| {
            let (kicks, complaints) = (Kicks::default(), RateLimited::default());
            Mutex::new(Function { transport, memory, placed: None, kicks, complaints })
        };
        Self {
            vm,
            ecam,
            seen: Once::new(),
            shown: Mutex::new(None),
            functions: functions.into_iter().map(function).collect(),
        }
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Changes what is behind a transport, before a driver has looked.
    pub fn prepare(&self, index: usize, change: impl FnOnce(&mut Core)) {
        if let Some(function) = self.functions.get(index) {
            lock(function).transport.prepare(change);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The guest has looked at configuration space: from now on it is memory (see `lazy_slot`), and a BAR is while it
    /// decodes.
    fn seen(&self) {
        self.seen.call_once(|| {
            self.ecam.leave_out_all_but(self.functions.len());
            self.show(true);
        });
    }

    /// Makes configuration space memory of the guest, or has its reads exit.
    fn show(&self, wanted: bool) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match (shown.take(), wanted) {
            (None, true) => self.vm.map_window(ECAM, &self.ecam.0, false).map(|slot| *shown = Some(slot)),
            (Some(slot), false) => self.vm.unmap(slot),
            (as_it_was, _) => {
                *shown = as_it_was;
                Ok(())
            }
        };
        if let Err(error) = done {
            say(&format!("configuration space cannot be shown to the guest: {error}"));
        }
    }

    /// A read of configuration space, at an offset of ECAM: the first, or on a host that exits for all.
    pub fn read_config(&self, offset: u64, out: &mut [u8]) {
        self.seen();
        let index = (offset / DEVICE_STRIDE).checked_sub(1);
        if let Some(function) =
            index.and_then(|index| self.functions.get(index as usize)).filter(|_| offset % DEVICE_STRIDE < PAGE)
        {
            lock(function).transport.read_config_space(offset % DEVICE_STRIDE, out);
        } else if let Some(part) = self.ecam.0.part(offset as usize, out.len()) {
            part.copy_to(0, out);
        }
    }

    /// A write to configuration space, at an offset of ECAM.
    pub fn write_config(&self, offset: u64, bytes: &[u8]) {
        self.seen();
        let Some(function) = (offset / DEVICE_STRIDE).checked_sub(1).and_then(|n| self.functions.get(n as usize))
        else {
            return;
        };
        let offset = offset % DEVICE_STRIDE;
        if offset + bytes.len() as u64 > PAGE {
            return;
        }
        let mut function = lock(function);
        function.transport.write_config_space(offset, bytes);
        let bar = function.transport.bar();
        if let Err(error) = self.place(&mut function, bar) {
            function.complain(|| format!("its BAR cannot be moved: {error}"));
        }
        drop(function);
        let open = self.functions.iter().any(|function| lock(function).transport.has_open_window());
        self.show(!open);
    }

    /// Number of the function whose BAR holds an address, and the offset in it.
    pub fn find(&self, at: GuestAddress) -> Option<(usize, u64)> {
        self.functions.iter().enumerate().find_map(|(index, function)| {
            let (start, _) = lock(function).placed?;
            let offset = at.0.checked_sub(start.0)?;
            (offset < BAR_SIZE).then_some((index, offset))
        })
    }

    /// A read from a BAR, where there is no memory.
    pub fn read_bar(&self, index: usize, offset: u64, out: &mut [u8]) {
        lock(&self.functions[index]).transport.read_bar(offset, out);
    }

    /// A write to a BAR.
    pub fn write_bar(&self, index: usize, offset: u64, bytes: &[u8]) {
        let function = &mut *lock(&self.functions[index]);
        function.transport.write_bar(offset, bytes);
        if let Err(error) = self.listen(function) {
            function.complain(|| format!("its kicks cannot be heard: {error}"));
        }
    }

    /// Resets every device: nothing of theirs is in flight afterwards.
    pub fn reset(&self) {
        for function in &self.functions {
            lock(function).transport.reset();
        }
    }

    /// Tells KVM where the function's BAR is, if that has changed. While it does not decode it is nowhere.
    fn place(&self, function: &mut Function, bar: Option<GuestAddress>) -> Result<(), KvmError> {
        if function.placed.as_ref().map(|(at, _)| *at) == bar {
            return Ok(());
        }
        if let Some((_, slot)) = function.placed.take() {
            self.vm.unmap(slot)?;
            self.listen(function)?;
        }
        let Some(bar) = bar else { return Ok(()) };
        // Elsewhere there may be RAM, and the guest must not lay a device over it.
        let inside = bar.0.checked_sub(WINDOW.0).is_some_and(|offset| offset <= WINDOW_SIZE - BAR_SIZE);
        if !inside {
            return Ok(());
        }
        debug_assert_eq!(function.memory.len(), BAR_MEMORY);
        let slot = self.vm.map_window(bar, &function.memory, false)?;
        function.placed = Some((bar, slot));
        self.listen(function)
    }

    /// Listens for kicks where the BAR is now.
    fn listen(&self, function: &mut Function) -> Result<(), KvmError> {
        let Function { transport, placed, kicks, .. } = function;
        let bar = placed.as_ref().map(|(at, _)| *at);
        let places = (0..).map_while(|queue| Some((GuestAddress(bar?.0 + NOTIFY + queue * NOTIFY_STRIDE), None)));
        kicks.follow(&self.vm, transport.core(), places)
    }
}

fn lock(function: &Mutex<Function>) -> MutexGuard<'_, Function> {
    // Config-plane only: requests never pass here. A panic ends the process, so poison cannot be seen.
    function.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for PciBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PciBus({} functions)", self.functions.len())
    }
}
