use std::sync::Arc;
use std::sync::atomic::Ordering;

use illico_memory::GuestAddress;
use proptest::prelude::*;
use virtio_bindings::virtio_config::{
    VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_NEEDS_RESET,
};
use virtio_bindings::virtio_ids::VIRTIO_ID_RNG;
use virtio_bindings::virtio_mmio::*;

use super::guest::{ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, Guest, HIGH, LOW};
use super::*;
use crate::testkit::{FOOTPRINT, Part};
use crate::transport::toy::{self, until};

#[test]
fn every_register_has_the_value_of_a_reset() {
    let guest = Guest::new();
    // § 4.2.2, table "MMIO Device Register Layout"; registers that are only written read as 0.
    let table = [
        (VIRTIO_MMIO_MAGIC_VALUE, 0x7472_6976),
        (VIRTIO_MMIO_VERSION, 2),
        (VIRTIO_MMIO_DEVICE_ID, VIRTIO_ID_RNG),
        (VIRTIO_MMIO_VENDOR_ID, u32::from_le_bytes(*b"illi")),
        (VIRTIO_MMIO_DEVICE_FEATURES, LOW),
        (VIRTIO_MMIO_QUEUE_NUM_MAX, toy::SIZES[0].into()),
        (VIRTIO_MMIO_SHM_LEN_LOW, u32::MAX),
        (VIRTIO_MMIO_SHM_LEN_HIGH, u32::MAX),
        (VIRTIO_MMIO_SHM_BASE_LOW, u32::MAX),
        (VIRTIO_MMIO_SHM_BASE_HIGH, u32::MAX),
        (VIRTIO_MMIO_CONFIG, u32::from_le_bytes(toy::CONFIG)),
    ];
    for offset in (0..PAGE as u32).step_by(4) {
        let named = table.iter().find(|(register, _)| *register == offset);
        assert_eq!(guest.readl(offset), named.map_or(0, |(_, value)| *value), "register {offset:#x}");
    }
}

#[test]
fn registers_that_are_only_read_do_not_change_when_written() {
    let mut guest = Guest::new();
    let written = [
        VIRTIO_MMIO_DEVICE_FEATURES_SEL,
        VIRTIO_MMIO_DRIVER_FEATURES,
        VIRTIO_MMIO_DRIVER_FEATURES_SEL,
        VIRTIO_MMIO_QUEUE_SEL,
        VIRTIO_MMIO_QUEUE_NUM,
        VIRTIO_MMIO_QUEUE_READY,
        VIRTIO_MMIO_STATUS,
        VIRTIO_MMIO_QUEUE_DESC_LOW,
        VIRTIO_MMIO_QUEUE_DESC_HIGH,
        VIRTIO_MMIO_QUEUE_AVAIL_LOW,
        VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
        VIRTIO_MMIO_QUEUE_USED_LOW,
        VIRTIO_MMIO_QUEUE_USED_HIGH,
    ];
    let before = guest.image();
    for offset in (0..PAGE as u32).filter(|offset| !written.contains(offset)) {
        guest.writel(offset, u32::MAX);
        assert!(guest.image() == before, "a write to {offset:#x} changed the page");
    }
}

#[test]
fn a_register_is_written_whole_or_not_at_all() {
    let mut guest = Guest::new();
    guest.negotiate();
    let before = guest.image();
    for offset in 0..VIRTIO_MMIO_CONFIG as u64 {
        for len in [0, 1, 2, 3, 8] {
            guest.transport.write(offset, &[1; 8][..len]);
        }
    }
    for (offset, bytes) in [(PAGE as u64 + 4, 4), (u64::MAX, 4), (u64::MAX - 3, 8)] {
        guest.transport.write(offset, &[1; 8][..bytes]);
        let mut out = [7; 8];
        guest.transport.read(offset, &mut out);
        assert_eq!(out, [0; 8]);
    }
    assert!(guest.image() == before);
}

#[test]
fn the_queue_registers_show_the_selected_queue() {
    let mut guest = Guest::new();
    for (queue, size) in [(0, 64), (1, 16), (2, 0), (0xffff, 0), (0x1_0000, 0), (u32::MAX, 0), (1, 16)] {
        guest.writel(VIRTIO_MMIO_QUEUE_SEL, queue);
        assert_eq!(guest.readl(VIRTIO_MMIO_QUEUE_NUM_MAX), size, "queue {queue:#x}");
        guest.writel(VIRTIO_MMIO_QUEUE_READY, 1);
        assert_eq!(guest.readl(VIRTIO_MMIO_QUEUE_READY), u32::from(size != 0));
        guest.writel(VIRTIO_MMIO_QUEUE_READY, 0);
        assert_eq!(guest.readl(VIRTIO_MMIO_QUEUE_READY), 0);
    }
}

#[test]
fn features_are_shown_by_halves_and_beyond_them_is_nothing() {
    let mut guest = Guest::new();
    for (select, value) in [(0, LOW), (1, HIGH), (2, 0), (u32::MAX, 0)] {
        guest.writel(VIRTIO_MMIO_DEVICE_FEATURES_SEL, select);
        assert_eq!(guest.readl(VIRTIO_MMIO_DEVICE_FEATURES), value);
    }
}

#[test]
fn features_that_were_not_offered_are_refused_and_can_be_corrected() {
    // Not VERSION_1; the reserved bit 33; a device bit that the device has not.
    for (high, low) in [(0, LOW), (HIGH | 2, LOW), (HIGH, LOW | 1)] {
        let mut guest = Guest::new();
        guest.writel(VIRTIO_MMIO_STATUS, DRIVER);
        guest.accept(high, low);
        guest.writel(VIRTIO_MMIO_STATUS, FEATURES_OK);
        assert_eq!(guest.status(), DRIVER, "{high:#x} {low:#x}");
        guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
        assert_eq!((guest.status(), guest.record.starts.load(Ordering::SeqCst)), (DRIVER, 0));
        guest.accept(HIGH, 0);
        guest.writel(VIRTIO_MMIO_STATUS, FEATURES_OK);
        assert_eq!(guest.status(), FEATURES_OK);
        // Too late to change anything.
        guest.accept(HIGH, LOW);
        guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
        assert_eq!(guest.record.features.load(Ordering::SeqCst), u64::from(HIGH) << 32);
    }
}

#[test]
fn a_half_beyond_the_features_is_not_written_anywhere() {
    let mut guest = Guest::new();
    guest.writel(VIRTIO_MMIO_STATUS, DRIVER);
    guest.accept(HIGH, LOW);
    for select in [2, 3, u32::MAX] {
        guest.writel(VIRTIO_MMIO_DRIVER_FEATURES_SEL, select);
        guest.writel(VIRTIO_MMIO_DRIVER_FEATURES, u32::MAX);
    }
    guest.writel(VIRTIO_MMIO_STATUS, FEATURES_OK);
    assert_eq!(guest.status(), FEATURES_OK);
}

#[test]
fn a_driver_like_linux_starts_the_device_uses_it_resets_it_and_starts_it_again() {
    let mut guest = Guest::new();
    let power_on = guest.image();
    for round in 1..=3 {
        let [mut first, mut second] = guest.boot();
        assert_eq!(guest.record.starts.load(Ordering::SeqCst), round);
        assert_eq!(guest.record.features.load(Ordering::SeqCst), u64::from(HIGH) << 32 | u64::from(LOW));
        for _ in 0..20 {
            guest.echo(&mut first, 0);
            guest.echo(&mut second, 1);
        }
        guest.writel(VIRTIO_MMIO_STATUS, 0);
        assert_eq!(guest.record.stops.load(Ordering::SeqCst), 2 * round, "both workers are off the loop");
        assert!(guest.image() == power_on);
        // No chain is taken any more; rings begin at 0 again.
        let rings = 0..0x1_0000;
        for base in [0, FOOTPRINT] {
            guest.ram.window(GuestAddress(base), rings.end).unwrap().fill(0, rings.end as usize, 0);
        }
        guest.kick(0);
    }
}

#[test]
fn what_a_queue_is_can_be_changed_until_it_is_ready() {
    let mut guest = Guest::new();
    guest.negotiate();
    let driver = guest.set_up(0);
    // Ready: not its size, not its place.
    guest.writel(VIRTIO_MMIO_QUEUE_NUM, 3);
    guest.writel(VIRTIO_MMIO_QUEUE_DESC_HIGH, 0xffff_ffff);
    assert_eq!(guest.transport.core().queue(), Some(&crate::queue::QueueSetup { max_size: 64, ..driver.setup() }));
    // Taken back before the device runs: both.
    guest.writel(VIRTIO_MMIO_QUEUE_READY, 0);
    guest.writel(VIRTIO_MMIO_QUEUE_NUM, 8);
    assert_eq!(guest.transport.core().queue().unwrap().size, 8);
    // A size beyond 16 bits is none.
    guest.writel(VIRTIO_MMIO_QUEUE_NUM, 0x1_0008);
    assert_eq!(guest.transport.core().queue().unwrap().size, 0);
}

#[test]
fn a_queue_that_cannot_work_fails_the_device_at_driver_ok() {
    for (register, value) in [
        (VIRTIO_MMIO_QUEUE_NUM, 3),
        (VIRTIO_MMIO_QUEUE_NUM, 0),
        (VIRTIO_MMIO_QUEUE_NUM, 128),
        (VIRTIO_MMIO_QUEUE_NUM, 0x1_0008),
        (VIRTIO_MMIO_QUEUE_DESC_LOW, 8),
        (VIRTIO_MMIO_QUEUE_AVAIL_LOW, 1),
        (VIRTIO_MMIO_QUEUE_USED_LOW, 2),
        (VIRTIO_MMIO_QUEUE_DESC_HIGH, 1),
        (VIRTIO_MMIO_QUEUE_USED_HIGH, u32::MAX),
    ] {
        let mut guest = Guest::new();
        guest.negotiate();
        guest.set_up(0);
        guest.writel(VIRTIO_MMIO_QUEUE_READY, 0);
        guest.writel(register, value);
        guest.writel(VIRTIO_MMIO_QUEUE_READY, 1);
        guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
        assert_eq!(guest.status(), DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET, "{register:#x} = {value:#x}");
        assert_eq!(guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG, "and the driver is told");
        assert_eq!(guest.line.read().unwrap(), 1);
        assert_eq!(guest.record.starts.load(Ordering::SeqCst), 0);
        guest.boot();
    }
}

#[test]
fn a_device_that_does_not_start_asks_for_a_reset_and_may_start_later() {
    let mut guest = Guest::new();
    for unwatchable in [false, true] {
        let why = if unwatchable { &guest.record.unwatchable } else { &guest.record.refuse };
        why.store(true, Ordering::SeqCst);
        guest.negotiate();
        guest.set_up(0);
        guest.set_up(1);
        guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
        assert_eq!(guest.status(), DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
        // The bit cannot be written away, and DRIVER_OK again does not start anything.
        guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
        assert_eq!(guest.status(), DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
    }
    assert_eq!(guest.record.stops.load(Ordering::SeqCst), 1, "the worker that could be watched was taken off");
    guest.boot();
}

#[test]
fn a_broken_ring_asks_for_a_reset_and_the_reset_heals_it() {
    let mut guest = Guest::new();
    let [mut driver, _] = guest.boot();
    driver.set_available_index(1000);
    guest.kick(0);
    until(|| guest.line.read().is_ok());
    assert_eq!(guest.status(), DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
    assert_eq!(guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    // The other bits of the status stay, whatever is written but 0.
    guest.writel(VIRTIO_MMIO_STATUS, ACKNOWLEDGE);
    assert_eq!(guest.status(), DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
    guest.ram.window(GuestAddress(0), FOOTPRINT).unwrap().fill(0, 0x1_0000, 0);
    let [mut driver, _] = guest.boot();
    guest.echo(&mut driver, 0);
}

#[test]
fn a_reset_waits_for_a_worker_that_is_at_work() {
    let mut guest = Guest::new();
    let [mut driver, _] = guest.boot();
    guest.record.hold.store(true, Ordering::SeqCst);
    driver.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    until(|| guest.record.busy.load(Ordering::SeqCst));
    let record = Arc::clone(&guest.record);
    let release = std::thread::spawn(move || record.hold.store(false, Ordering::SeqCst));
    guest.writel(VIRTIO_MMIO_STATUS, 0);
    assert!(!guest.record.busy.load(Ordering::SeqCst), "it is out of its handler");
    assert_eq!(guest.record.stops.load(Ordering::SeqCst), 2);
    assert_eq!((guest.status(), guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS)), (0, 0));
    release.join().unwrap();
}

#[test]
fn a_queue_taken_back_from_a_running_device_is_not_touched_again() {
    let mut guest = Guest::new();
    let [mut first, _second] = guest.boot();
    guest.echo(&mut first, 0);
    // A driver goes: § 4.2.2.2 lets it wait for this zero, then it frees the memory.
    for queue in [0, 1] {
        guest.writel(VIRTIO_MMIO_QUEUE_SEL, queue);
        guest.writel(VIRTIO_MMIO_QUEUE_READY, 0);
        assert_eq!(guest.readl(VIRTIO_MMIO_QUEUE_READY), 0);
    }
    assert_eq!(guest.record.stops.load(Ordering::SeqCst), 2);
    first.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    assert!(first.take_used().is_none());
    assert_eq!(guest.status(), DRIVER_OK);
    guest.writel(VIRTIO_MMIO_QUEUE_READY, 1);
    assert_eq!(guest.readl(VIRTIO_MMIO_QUEUE_READY), 0, "it comes back by a reset only");
}

#[test]
fn taking_back_a_queue_that_was_never_ready_disturbs_nothing() {
    let mut guest = Guest::new();
    guest.negotiate();
    let mut driver = guest.set_up(0);
    guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
    guest.writel(VIRTIO_MMIO_QUEUE_SEL, 1);
    guest.writel(VIRTIO_MMIO_QUEUE_READY, 0);
    guest.echo(&mut driver, 0);
}

#[test]
fn only_the_low_byte_of_the_status_counts() {
    let mut guest = Guest::new();
    let power_on = guest.image();
    let [mut driver, _] = guest.boot();
    driver.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    until(|| guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS) != 0);
    guest.writel(VIRTIO_MMIO_STATUS, 0x100);
    assert!(guest.image() == power_on);
}

#[test]
fn an_acknowledgement_takes_away_what_it_names_and_nothing_else() {
    let mut guest = Guest::new();
    let [mut driver, _] = guest.boot();
    let config = guest.record.config.lock().unwrap().clone().unwrap();
    config.update(0, &[1]);
    driver.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    let both = VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG;
    until(|| guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS) == both);
    guest.writel(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
    assert_eq!(guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    guest.writel(VIRTIO_MMIO_INTERRUPT_ACK, u32::MAX);
    assert_eq!(guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

#[test]
fn the_generation_tells_of_a_change_before_and_after_it() {
    let mut guest = Guest::new();
    guest.boot();
    let config = guest.record.config.lock().unwrap().clone().unwrap();
    for n in 0..300_u32 {
        let before = guest.readl(VIRTIO_MMIO_CONFIG_GENERATION);
        config.update(0, &n.to_le_bytes());
        let after = guest.readl(VIRTIO_MMIO_CONFIG_GENERATION);
        assert_eq!(after, (before + 2) % 256);
        assert_eq!(guest.readl(VIRTIO_MMIO_CONFIG), n);
    }
    assert_eq!(guest.readl(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
}

#[test]
fn a_driver_that_reads_after_the_interrupt_of_a_change_sees_all_of_it() {
    let mut guest = Guest::new();
    guest.boot();
    let config = guest.record.config.lock().unwrap().clone().unwrap();
    let (told, heard) = std::sync::mpsc::sync_channel(0);
    let writer = std::thread::spawn(move || {
        for n in 0..2_000_u32 {
            let [a, b, c, d] = n.to_le_bytes();
            config.update(0, &[a, b, c, d, a, b, c, d]);
            told.send(n).unwrap();
        }
    });
    for n in heard {
        // The next change may have begun: a field is of this one or of that.
        for at in [0, 4] {
            let field = guest.readl_quick(VIRTIO_MMIO_CONFIG + at);
            assert!(field == n || field == n + 1, "{field} after change {n}");
        }
    }
    writer.join().unwrap();
}

#[test]
fn writes_to_the_configuration_reach_the_device_at_any_width() {
    let mut guest = Guest::new();
    for (offset, bytes) in [(0_usize, &[1_u8][..]), (3, &[2, 3]), (4, &[4; 4]), (8, &[5; 8])] {
        guest.transport.write((CONFIG + offset) as u64, bytes);
    }
    let writes = guest.record.config_writes.lock().unwrap();
    assert_eq!(*writes, [(0, vec![1]), (3, vec![2, 3]), (4, vec![4; 4]), (8, vec![5; 8])]);
}

#[test]
fn a_kick_before_driver_ok_is_not_lost() {
    let mut guest = Guest::new();
    guest.negotiate();
    let mut driver = guest.set_up(0);
    driver.add(&[Part::Readable(b"early"), Part::Writable(5)]).unwrap();
    guest.kick(0);
    guest.writel(VIRTIO_MMIO_STATUS, DRIVER_OK);
    until(|| guest.line.read().is_ok());
    assert_eq!(driver.take_used().unwrap().data, b"early");
}

#[test]
fn a_kick_that_comes_up_as_an_exit_is_a_kick() {
    let mut guest = Guest::new();
    let [_, mut second] = guest.boot();
    second.add(&[Part::Readable(b"exit"), Part::Writable(4)]).unwrap();
    for queue in [2, 0x1_0001, u32::MAX, 1] {
        guest.writel(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
    }
    until(|| guest.line.read().is_ok());
    assert_eq!(second.take_used().unwrap().data, b"exit");
    let kicks = guest.transport.core().ports().iter().map(|port| port.kick.read().unwrap_or(0)).collect::<Vec<_>>();
    assert_eq!(kicks, [0, 1], "and it is counted where the others are");
}

#[test]
fn two_devices_do_not_know_of_each_other() {
    let (mut one, mut other) = (Guest::new(), Guest::new());
    let untouched = other.image();
    let [mut driver, _] = one.boot();
    one.echo(&mut driver, 0);
    assert!(other.image() == untouched);
    let [mut its, _] = other.boot();
    one.writel(VIRTIO_MMIO_STATUS, 0);
    other.echo(&mut its, 0);
}

/// A write that a driver might make, or would not.
fn store() -> impl Strategy<Value = (u32, u32)> {
    let register = prop_oneof![
        8 => prop::sample::select(vec![
            VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_MMIO_DRIVER_FEATURES_SEL,
            VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_QUEUE_NUM, VIRTIO_MMIO_QUEUE_READY, VIRTIO_MMIO_INTERRUPT_ACK,
            VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_USED_LOW,
        ]),
        6 => Just(VIRTIO_MMIO_STATUS),
        1 => (0..0x40_u32).prop_map(|n| 4 * n),
    ];
    let value = prop_oneof![
        4 => 0..4_u32,
        4 => prop::sample::select(vec![DRIVER, FEATURES_OK, DRIVER_OK, LOW, HIGH, 8, 16, 0x1000, 0x2000, 0x4000]),
        1 => any::<u32>(),
    ];
    (register, value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn from_wherever_writes_have_led_a_reset_leads_back_to_power_on(stores in prop::collection::vec(store(), 0..60)) {
        let mut guest = Guest::new();
        let power_on = guest.image();
        for (register, value) in stores {
            let before = guest.status();
            guest.writel(register, value);
            let now = guest.status();
            let reset = register == VIRTIO_MMIO_STATUS && value & 0xff == 0;
            prop_assert!(reset || now & before == before, "status bits went away: {before:#x} to {now:#x}");
            let runs = now & VIRTIO_CONFIG_S_DRIVER_OK != 0;
            prop_assert!(!runs || now & VIRTIO_CONFIG_S_FEATURES_OK != 0, "DRIVER_OK without FEATURES_OK");
        }
        guest.writel(VIRTIO_MMIO_STATUS, 0);
        prop_assert!(guest.image() == power_on);
        guest.boot();
    }
}
