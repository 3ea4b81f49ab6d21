//! The `virtio-drivers` crate, a guest's driver that others wrote, finds a function and its structures
//! in configuration space. (It drives whole devices from inside a guest: see `guest/probe`. Here its
//! stores would not exit.)

#![allow(clippy::unwrap_used)]

use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use illico_memory::{GuestAddress, Layout, Mapping, Pages, Ram, Window};
use illico_virtio::entropy::{Entropy, EntropySpec};
use illico_virtio::interrupt::MsiMessage;
use illico_virtio::transport::pci::{BAR_MEMORY, BAR_SIZE, PciTransport, Vectors};
use virtio_drivers::transport::pci::bus::{BarInfo, ConfigurationAccess, DeviceFunction, MemoryBarType, PciRoot};
use virtio_drivers::transport::pci::{PciTransport as TheirTransport, virtio_device_type};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

const BAR: u64 = 0xc010_0000;

/// The host address of BAR 0, for a driver that takes it for the guest's.
static BAR_ON_HOST: Mutex<u64> = Mutex::new(0);

struct NoVectors;

impl Vectors for NoVectors {
    fn raise(&self, _vector: u16) {}

    fn is_masked(&self, _vector: u16) -> bool {
        true
    }

    fn route(&self, _vector: u16, _message: Option<MsiMessage>) {}
}

/// One bus with one function: loads are memory, stores exit.
struct Bus {
    space: Window,
    transport: Arc<Mutex<PciTransport>>,
}

const FUNCTION: DeviceFunction = DeviceFunction { bus: 0, device: 1, function: 0 };

impl ConfigurationAccess for Bus {
    fn read_word(&self, function: DeviceFunction, offset: u8) -> u32 {
        if function != FUNCTION {
            return u32::MAX;
        }
        self.space.read(offset.into())
    }

    fn write_word(&mut self, function: DeviceFunction, offset: u8, data: u32) {
        assert_eq!(function, FUNCTION);
        self.transport.lock().unwrap().write_config_space(offset.into(), &data.to_le_bytes());
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self { space: self.space.clone(), transport: Arc::clone(&self.transport) }
    }
}

/// A machine without DMA whose BAR is on the host.
struct Machine;

// SAFETY: no memory for DMA is ever given, and the addresses of the BAR are those of a mapping that
// lives until the driver is gone.
unsafe impl Hal for Machine {
    fn dma_alloc(_pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        unreachable!("no queue is made")
    }

    unsafe fn dma_dealloc(_address: PhysAddr, _at: NonNull<u8>, _pages: usize) -> i32 {
        unreachable!("none was made")
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, size: usize) -> NonNull<u8> {
        let offset = address - BAR;
        assert!(offset + size as u64 <= BAR_SIZE, "{address:#x} + {size:#x} is outside of BAR 0");
        let at = *BAR_ON_HOST.lock().unwrap() + offset;
        NonNull::new(at as *mut u8).unwrap()
    }

    unsafe fn share(_buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        unreachable!("no queue is made")
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {
        unreachable!("nothing was shared")
    }
}

#[test]
fn a_driver_that_others_wrote_finds_everything() {
    assert!(PAGE_SIZE <= BAR_SIZE as usize);
    let ram = Ram::new(&Layout::flat(1 << 20), Pages::Small).unwrap();
    let bar = Mapping::anonymous(BAR_SIZE as usize, Pages::Small).unwrap();
    *BAR_ON_HOST.lock().unwrap() = bar.host_address();
    let space = Mapping::anonymous(0x1000, Pages::Small).unwrap();
    let device = Box::new(Entropy::open(&EntropySpec {}).unwrap());
    let memory = bar.part(0, BAR_MEMORY).unwrap();
    let vectors = Arc::new(NoVectors);
    let ours = PciTransport::new(device, ram, vec![], space.clone(), memory, GuestAddress(BAR), vectors).unwrap();
    let ours = Arc::new(Mutex::new(ours));
    let mut root = PciRoot::new(Bus { space, transport: Arc::clone(&ours) });

    let found: Vec<_> = root.enumerate_bus(0).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, virtio_device_type(&found[0].1)), (FUNCTION, Some(DeviceType::EntropySource)));
    let expected =
        BarInfo::Memory { address_type: MemoryBarType::Width64, prefetchable: false, address: BAR, size: BAR_SIZE };
    assert_eq!(root.bar_info(FUNCTION, 0).unwrap(), Some(expected));
    for index in 2..6 {
        assert_eq!(root.bar_info(FUNCTION, index).unwrap(), None);
    }

    let theirs = TheirTransport::new::<Machine, _>(&mut root, FUNCTION).unwrap();
    assert_eq!(theirs.device_type(), DeviceType::EntropySource);
    assert_eq!(theirs.get_status(), DeviceStatus::empty());
    assert_eq!(theirs.read_config_generation(), 0);
    assert_eq!(theirs.read_config_space::<u32>(0x7fc).unwrap(), 0, "the last word of the device's part");
    assert!(theirs.read_config_space::<u32>(0x800).is_err());
    ours.lock().unwrap().write_bar(0x14, &[1]);
    assert_eq!(theirs.get_status(), DeviceStatus::ACKNOWLEDGE);
}
