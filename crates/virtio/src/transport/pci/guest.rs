//! A machine with one virtio function for tests: a guest that loads from memory and stores by exits,
//! and a board that keeps its interrupts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use illico_memory::{GuestAddress, Mapping, Pages, Ram, Window};
use virtio_bindings::virtio_config::{
    VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK,
    VIRTIO_CONFIG_S_NEEDS_RESET,
};

use super::*;
use crate::interrupt::MsiMessage;
use crate::spec::feature::{EVENT_IDX, INDIRECT_DESC, VERSION_1};
use crate::testkit::{FOOTPRINT, FakeDriver, Part, ram};
use crate::transport::toy::{self, Loop, Record, Toy, until};

/// The command register, and its bit that lets the function reach memory.
pub(super) const COMMAND: u64 = 4;
pub(super) const BUS_MASTER: u16 = 4;
pub(super) const BAR: u64 = 0xc000_4000;
pub(super) const FEATURES: u64 = toy::FEATURE | VERSION_1 | INDIRECT_DESC | EVENT_IDX;
pub(super) const ACKNOWLEDGE: u8 = VIRTIO_CONFIG_S_ACKNOWLEDGE as u8;
pub(super) const DRIVER: u8 = ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER as u8;
pub(super) const FEATURES_OK: u8 = DRIVER | VIRTIO_CONFIG_S_FEATURES_OK as u8;
pub(super) const DRIVER_OK: u8 = FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK as u8;
pub(super) const RESET_WANTED: u8 = VIRTIO_CONFIG_S_NEEDS_RESET as u8;

/// What reached the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Routed(u16, Option<MsiMessage>),
    Raised(u16),
}

/// A machine's vectors: one that is masked is kept until it is routed again.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    pub(super) raised: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    open: HashSet<u16>,
    pending: HashSet<u16>,
}

impl Board {
    pub(super) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.state.lock().unwrap().events)
    }
}

impl Vectors for Board {
    fn raise(&self, vector: u16) {
        let mut state = self.state.lock().unwrap();
        if state.open.contains(&vector) {
            state.events.push(Event::Raised(vector));
            self.raised.fetch_add(1, Ordering::SeqCst);
        } else {
            state.pending.insert(vector);
        }
    }

    fn is_masked(&self, vector: u16) -> bool {
        !self.state.lock().unwrap().open.contains(&vector)
    }

    fn route(&self, vector: u16, message: Option<MsiMessage>) {
        let mut state = self.state.lock().unwrap();
        state.events.push(Event::Routed(vector, message));
        if message.is_none() {
            state.open.remove(&vector);
            return;
        }
        state.open.insert(vector);
        if state.pending.remove(&vector) {
            state.events.push(Event::Raised(vector));
            self.raised.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A machine with one function, as its guest sees it.
pub(super) struct Guest {
    pub(super) ram: Ram,
    pub(super) space: Window,
    pub(super) memory: Window,
    pub(super) transport: PciTransport,
    pub(super) record: Arc<Record>,
    pub(super) board: Arc<Board>,
    // Ends after the transport.
    _event_loop: Loop,
}

impl Guest {
    pub(super) fn new() -> Self {
        Self::of(Toy::default())
    }

    pub(super) fn of(toy: Toy) -> Self {
        let event_loop = Loop::new();
        let ram = ram(2 * FOOTPRINT);
        let space = Mapping::anonymous(0x1000, Pages::Small).unwrap();
        let memory = Mapping::anonymous(BAR_MEMORY, Pages::Small).unwrap();
        let (record, board) = (Arc::clone(&toy.record), Arc::new(Board::default()));
        let transport = PciTransport::new(
            Box::new(toy),
            ram.clone(),
            vec![event_loop.handle()],
            space.clone(),
            memory.clone(),
            GuestAddress(BAR),
            Arc::clone(&board) as Arc<dyn Vectors>,
        );
        let mut transport = transport.unwrap();
        transport.write_config_space(COMMAND, &BUS_MASTER.to_le_bytes());
        Self { ram, space, memory, transport, record, board, _event_loop: event_loop }
    }

    /// A load of the guest's, which is memory; an exit would read the same.
    pub(super) fn load(&mut self, offset: u64, width: usize) -> u64 {
        let (mut seen, mut read) = ([0; 8], [0; 8]);
        self.memory.copy_to(offset as usize, &mut seen[..width]);
        self.transport.read_bar(offset, &mut read[..width]);
        assert_eq!(seen, read, "an exit reads what memory says at {offset:#x}");
        u64::from_le_bytes(seen)
    }

    pub(super) fn store(&mut self, offset: u64, width: usize, value: u64) {
        self.transport.write_bar(offset, &value.to_le_bytes()[..width]);
    }

    pub(super) fn status(&mut self) -> u8 {
        self.load(DEVICE_STATUS as u64, 1) as u8
    }

    pub(super) fn set_status(&mut self, value: u8) {
        self.store(DEVICE_STATUS as u64, 1, value.into());
    }

    /// The common configuration as it is now.
    pub(super) fn common(&self) -> Vec<u8> {
        let mut image = vec![0; DEVICE_CONFIG];
        self.memory.copy_to(0, &mut image);
        image
    }

    pub(super) fn space(&self, offset: usize, len: usize) -> u32 {
        let mut bytes = [0; 4];
        self.space.copy_to(offset, &mut bytes[..len]);
        u32::from_le_bytes(bytes)
    }

    pub(super) fn set_space(&mut self, offset: u64, len: usize, value: u32) {
        self.transport.write_config_space(offset, &value.to_le_bytes()[..len]);
    }

    /// `vp_modern_probe` to `FEATURES_OK`.
    pub(super) fn negotiate(&mut self) {
        self.set_status(0);
        assert_eq!(self.status(), 0);
        self.set_status(ACKNOWLEDGE);
        self.set_status(DRIVER);
        let mut features = 0;
        for half in [0, 1] {
            self.store(DEVICE_FEATURE_SELECT as u64, 4, half);
            features |= self.load(DEVICE_FEATURE as u64, 4) << (32 * half);
        }
        assert_eq!(features, FEATURES);
        self.accept(features);
        self.set_status(FEATURES_OK);
        assert_eq!(self.status(), FEATURES_OK);
    }

    pub(super) fn accept(&mut self, features: u64) {
        for half in [0, 1] {
            self.store(DRIVER_FEATURE_SELECT as u64, 4, half);
            self.store(DRIVER_FEATURE as u64, 4, features >> (32 * half) & 0xffff_ffff);
        }
    }

    /// `setup_vq` and `vp_active_vq` for a queue of half of what is offered, with vector `index + 1`.
    pub(super) fn set_up(&mut self, index: u16) -> FakeDriver {
        self.store(QUEUE_SELECT as u64, 2, index.into());
        let size = self.load(QUEUE_SIZE as u64, 2) as u16 / 2;
        assert_ne!(size, 0);
        assert_eq!(self.load(QUEUE_ENABLE as u64, 2), 0, "the queue is free");
        let driver = FakeDriver::new(&self.ram, FOOTPRINT * u64::from(index), size, FEATURES);
        let setup = driver.setup();
        self.store(QUEUE_SIZE as u64, 2, size.into());
        for (register, address) in
            [(QUEUE_DESC, setup.table), (QUEUE_DRIVER, setup.available), (QUEUE_DEVICE, setup.used)]
        {
            self.store(register as u64, 4, address.0 & 0xffff_ffff);
            self.store(register as u64 + 4, 4, address.0 >> 32);
        }
        assert_eq!(self.load(QUEUE_NOTIFY_OFF as u64, 2), u64::from(index));
        self.store(QUEUE_MSIX_VECTOR as u64, 2, u64::from(index) + 1);
        assert_eq!(self.load(QUEUE_MSIX_VECTOR as u64, 2), u64::from(index) + 1);
        driver
    }

    pub(super) fn boot(&mut self) -> [FakeDriver; 2] {
        self.negotiate();
        self.store(CONFIG_MSIX_VECTOR as u64, 2, 0);
        assert_eq!(self.load(CONFIG_MSIX_VECTOR as u64, 2), 0);
        let drivers = [self.set_up(0), self.set_up(1)];
        for index in [0, 1] {
            self.store(QUEUE_SELECT as u64, 2, index);
            self.store(QUEUE_ENABLE as u64, 2, 1);
            assert_eq!(self.load(QUEUE_ENABLE as u64, 2), 1);
        }
        self.set_status(DRIVER_OK);
        assert_eq!(self.status(), DRIVER_OK);
        drivers
    }

    pub(super) fn kick(&self, queue: usize) {
        self.transport.core().ports()[queue].kick.write(1).unwrap();
    }

    /// One request to its end and its interrupt's.
    pub(super) fn echo(&mut self, driver: &mut FakeDriver, queue: usize) {
        driver.set_used_event(driver.available_index());
        driver.add(&[Part::Readable(b"echo"), Part::Writable(8)]).unwrap();
        self.kick(queue);
        until(|| self.board.raised.swap(0, Ordering::SeqCst) != 0);
        assert_eq!(self.board.take(), [Event::Raised(queue as u16 + 1)]);
        let used = driver.take_used().unwrap();
        assert_eq!((used.written, &used.data[..4]), (4, b"echo".as_slice()));
    }
}
