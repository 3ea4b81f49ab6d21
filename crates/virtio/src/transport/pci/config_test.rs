use super::super::guest::{BAR, DRIVER_OK, Guest};
use super::super::{DEVICE_STATUS, NUM_QUEUES, QUEUE_SELECT, QUEUE_SIZE};
use super::*;
use crate::testkit::Part;
use crate::transport::toy::{self, until};

/// A capability as a driver finds it: its place, its id, and the bytes it says it has.
fn capabilities(guest: &Guest) -> Vec<(usize, u8)> {
    assert_ne!(guest.space(0x06, 2) & 1 << 4, 0, "the status says that there is a list");
    let mut found = Vec::new();
    let mut at = guest.space(0x34, 1) as usize;
    while at != 0 {
        assert!(at >= 0x40 && at.is_multiple_of(4) && found.len() < 48, "a place for a capability: {at:#x}");
        found.push((at, guest.space(at, 1) as u8));
        at = guest.space(at + 1, 1) as usize;
    }
    found
}

#[test]
fn the_function_says_what_it_is() {
    let guest = Guest::new();
    // § 4.1.2: vendor, device id 0x1040 + 4, revision 1 or more; 0xff is "does not fit any class".
    assert_eq!(guest.space(0x00, 4), 0x1044_1af4);
    assert_eq!(guest.space(0x08, 4), 0xff00_0001);
    assert_eq!(guest.space(0x2c, 4), 0x1044_1af4);
    assert_eq!((guest.space(0x0e, 1), guest.space(0x3d, 1)), (0, 0), "one plain function, no interrupt pin");
}

#[test]
fn every_structure_is_in_the_bar_and_apart_from_the_others() {
    let guest = Guest::new();
    let list = capabilities(&guest);
    assert_eq!(list.iter().filter(|(_, id)| *id == 0x11).count(), 1);
    // MSI-X: table and pending bits.
    let msix = list.iter().find(|(_, id)| *id == 0x11).unwrap().0;
    let (table, pending) = (guest.space(msix + 4, 4), guest.space(msix + 8, 4));
    assert_eq!((table & 7, pending & 7), (0, 0), "both in BAR 0");
    let mut places = vec![(u64::from(table), 3 * 16, "table"), (u64::from(pending), 8, "pending")];
    let mut ends = vec![msix + 12];
    let mut kinds = Vec::new();
    for (at, _) in list.iter().filter(|(_, id)| *id == 0x09) {
        let (len, kind) = (guest.space(at + 2, 1), guest.space(at + 3, 1));
        let (bar, offset, length) = (guest.space(at + 4, 4), guest.space(at + 8, 4), guest.space(at + 12, 4));
        assert_eq!(bar, 0);
        assert_eq!(len, if matches!(kind, 2 | 5) { 20 } else { 16 });
        kinds.push(kind);
        ends.push(at + len as usize);
        let (align, least, name) = match kind {
            // § 4.1.4.3.1 to § 4.1.4.6.1: alignment, and the least that each must have.
            1 => (4, 0x40, "common"),
            2 => (2, 4 * toy::SIZES.len() as u32, "notify"),
            3 => (1, 1, "isr"),
            4 => (4, toy::CONFIG.len() as u32, "device"),
            5 => {
                assert_eq!((offset, length), (0, 0), "the window is closed");
                continue;
            }
            _ => panic!("a structure of kind {kind}"),
        };
        assert!(offset.is_multiple_of(align) && length >= least, "{name}: {offset:#x} + {length:#x}");
        places.push((offset.into(), length.into(), name));
        if kind == 2 {
            assert_eq!(guest.space(at + 16, 4), NOTIFY_STRIDE as u32);
        }
    }
    assert_eq!(kinds, [1, 2, 3, 4, 5]);
    places.sort_unstable();
    for pair in places.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:?} overlap");
    }
    assert!(places.last().is_some_and(|(start, len, _)| start + len <= BAR_SIZE));
    let mut starts: Vec<_> = list.iter().map(|(at, _)| *at).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    assert!(starts.iter().skip(1).zip(&ends).all(|(next, end)| end <= next) && ends.iter().all(|&end| end <= 0x100));
}

#[test]
fn a_driver_like_linux_sizes_the_bar_and_puts_it_back() {
    let mut guest = Guest::new();
    let command = guest.space(0x04, 2);
    assert_eq!(guest.transport.bar(), None, "nothing is decoded before a driver says so");
    let old = [guest.space(0x10, 4), guest.space(0x14, 4)];
    guest.set_space(0x10, 4, u32::MAX);
    guest.set_space(0x14, 4, u32::MAX);
    let (low, high) = (guest.space(0x10, 4), guest.space(0x14, 4));
    assert_eq!(low & 0xf, 4, "a 64-bit memory BAR, not prefetchable");
    let mask = u64::from(high) << 32 | u64::from(low & !0xf);
    assert_eq!(mask.wrapping_neg(), BAR_SIZE);
    guest.set_space(0x10, 4, old[0]);
    guest.set_space(0x14, 4, old[1]);
    guest.set_space(0x04, 2, command | 2 | 4);
    assert_eq!(guest.transport.bar(), Some(GuestAddress(BAR)));
    guest.set_space(0x10, 4, 0x8000_0000);
    guest.set_space(0x14, 4, 0x12);
    assert_eq!(guest.transport.bar(), Some(GuestAddress(0x12_8000_0000)));
}

#[test]
fn only_what_a_driver_may_write_changes() {
    // Register, bits. What is not named here is read-only: the other BARs and the ROM read as 0.
    let writable = [
        (0x04, 0x0000_0406),
        (0x0c, 0x0000_00ff),
        (0x10, 0xffff_c000),
        (0x14, 0xffff_ffff),
        (0x3c, 0x0000_00ff),
        (0x40, 0xc000_0000),
        (0x98, 0x0000_00ff),
        (0x9c, 0xffff_ffff),
        (0xa0, 0xffff_ffff),
        (0xa4, 0xffff_ffff),
    ];
    for offset in (0..0x1000).step_by(4) {
        let mut guest = Guest::new();
        let mask = writable.iter().find(|(register, _)| *register == offset).map_or(0, |(_, mask)| *mask);
        let before = guest.space(offset, 4);
        guest.set_space(offset as u64, 4, u32::MAX);
        assert_eq!(guest.space(offset, 4), before | mask, "ones to {offset:#x}");
        guest.set_space(offset as u64, 4, 0);
        assert_eq!(guest.space(offset, 4), before & !mask, "zeroes to {offset:#x}");
        for byte in 0..4 {
            guest.set_space((offset + byte) as u64, 1, 0xff);
        }
        assert_eq!(guest.space(offset, 4), before | mask, "ones to {offset:#x}, byte by byte");
    }
    let mut guest = Guest::new();
    guest.set_space(0x04, 2, 6);
    for offset in [0xffe, 0xfff, 0x1000, u64::MAX - 3, u64::MAX] {
        guest.set_space(offset, 4, u32::MAX);
    }
    assert_eq!(guest.transport.bar(), Some(GuestAddress(BAR)));
}

impl Guest {
    /// § 4.1.4.9.1: where, how wide, and then the data.
    fn open_window(&mut self, offset: u64, len: u32) {
        self.set_space(WINDOW_BAR as u64, 1, 0);
        self.set_space(WINDOW_OFFSET as u64, 4, offset as u32);
        self.set_space(WINDOW_LENGTH as u64, 4, len);
    }

    fn window_load(&mut self, offset: u64, len: u32) -> u32 {
        self.open_window(offset, len);
        assert!(self.transport.has_open_window(), "reads must exit");
        let mut bytes = [0; 4];
        self.transport.read_config_space(WINDOW_DATA as u64, &mut bytes[..len as usize]);
        u32::from_le_bytes(bytes)
    }

    fn window_store(&mut self, offset: u64, len: u32, value: u32) {
        self.open_window(offset, len);
        self.set_space(WINDOW_DATA as u64, len as usize, value);
    }
}

#[test]
fn a_firmware_that_sees_only_configuration_space_drives_the_device_through_the_window() {
    let mut guest = Guest::new();
    assert_eq!(guest.window_load(NUM_QUEUES as u64, 2), 2);
    assert_eq!(guest.window_load(DEVICE_CONFIG as u64, 4), u32::from_le_bytes(toy::CONFIG));
    for (queue, size) in [(0, 64), (1, 16), (2, 0)] {
        guest.window_store(QUEUE_SELECT as u64, 2, queue);
        assert_eq!(guest.window_load(QUEUE_SIZE as u64, 2), size);
    }
    let [mut driver, _] = guest.boot();
    assert_eq!(guest.window_load(DEVICE_STATUS as u64, 1), u32::from(DRIVER_OK));
    driver.add(&[Part::Readable(b"window"), Part::Writable(6)]).unwrap();
    guest.window_store(NOTIFY, 2, 0);
    let mut used = None;
    until(|| {
        used = driver.take_used();
        used.is_some()
    });
    assert_eq!(used.unwrap().data, b"window");
    guest.window_store(DEVICE_STATUS as u64, 1, 0);
    assert_eq!(guest.window_load(DEVICE_STATUS as u64, 1), 0);
}

#[test]
fn a_window_on_nothing_reads_and_writes_nothing() {
    for (bar, offset, len) in [
        (1, 0, 4),
        (0, 0, 0),
        (0, 0, 3),
        (0, 0, 8),
        (0, 2, 4),
        (0, BAR_SIZE as u32 - 2, 4),
        (0, BAR_SIZE as u32, 4),
        (0, u32::MAX - 3, 4),
        (0, 0, u32::MAX),
    ] {
        let mut guest = Guest::new();
        let before = guest.common();
        guest.set_space(WINDOW_BAR as u64, 1, bar);
        guest.set_space(WINDOW_OFFSET as u64, 4, offset);
        guest.set_space(WINDOW_LENGTH as u64, 4, len);
        guest.set_space(WINDOW_DATA as u64, 4, 0x0101_0101);
        assert!(guest.common() == before, "bar {bar}, {offset:#x} + {len:#x}");
    }
}

/// § 4.1.4.9.1: BAR 0 is read when the data is, and not when the window is set.
#[test]
fn the_window_reads_when_its_data_is_read() {
    let mut guest = Guest::new();
    guest.boot();
    guest.record.config.lock().unwrap().as_ref().unwrap().update(0, &[1]);
    guest.open_window(ISR, 1);
    let mut isr = [0];
    guest.transport.read_bar(ISR, &mut isr);
    assert_eq!(isr, [super::super::ISR_CONFIG], "setting the window acknowledged nothing");
    guest.record.config.lock().unwrap().as_ref().unwrap().update(0, &[2]);
    guest.transport.read_config_space(WINDOW_DATA as u64, &mut isr);
    assert_eq!(isr, [super::super::ISR_CONFIG], "the window shows what is there now");
    guest.transport.read_bar(ISR, &mut isr);
    assert_eq!(isr, [0], "reading the window acknowledged it");
}

/// PCI § 6.2.2: a function whose memory decoding is off answers at no address, whatever its BAR says.
#[test]
fn a_bar_decodes_only_while_the_command_register_says_so() {
    const MEMORY: u32 = 2;
    let mut guest = Guest::new();
    guest.set_space(COMMAND as u64, 2, MEMORY);
    let place = guest.transport.bar().expect("it decodes");
    guest.set_space(COMMAND as u64, 2, 0);
    assert_eq!(guest.transport.bar(), None);
    guest.set_space(BAR0 as u64, 4, 0xc100_0000);
    assert_eq!(guest.transport.bar(), None, "moved while it does not decode");
    guest.set_space(COMMAND as u64, 2, MEMORY);
    let moved = guest.transport.bar().expect("it decodes again");
    assert!(moved != place && moved.0 & 0xffff_ffff == 0xc100_0000, "{moved:?}");
}

#[test]
fn a_function_that_is_no_bus_master_leaves_memory_alone() {
    let mut guest = Guest::new();
    guest.set_space(COMMAND as u64, 2, 0);
    let [mut driver, _] = guest.boot();
    assert_eq!(guest.record.starts.load(Ordering::SeqCst), 0);
    driver.add(&[Part::Readable(b"early"), Part::Writable(5)]).unwrap();
    guest.kick(0);
    guest.set_space(COMMAND as u64, 2, super::super::guest::BUS_MASTER.into());
    let echo = |driver: &mut crate::testkit::FakeDriver| {
        let mut used = None;
        until(|| {
            used = driver.take_used();
            used.is_some()
        });
        used.unwrap().data
    };
    assert_eq!(echo(&mut driver), b"early");
    guest.set_space(COMMAND as u64, 2, 0);
    assert_eq!(guest.record.stops.load(Ordering::SeqCst), 2, "both queues rest");
    driver.add(&[Part::Readable(b"later"), Part::Writable(5)]).unwrap();
    guest.kick(0);
    assert_eq!(driver.take_used(), None);
    guest.set_space(COMMAND as u64, 2, super::super::guest::BUS_MASTER.into());
    assert_eq!(echo(&mut driver), b"later", "it goes on where it stood");
}
