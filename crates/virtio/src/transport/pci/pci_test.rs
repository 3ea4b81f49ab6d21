use std::sync::atomic::Ordering;

use illico_memory::GuestAddress;
use proptest::prelude::*;
use virtio_bindings::virtio_config::{VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK};

use super::guest::{DRIVER, DRIVER_OK, FEATURES, FEATURES_OK, Guest};
use super::*;
use crate::spec::feature::{EVENT_IDX, VERSION_1};
use crate::transport::toy;

/// What a driver may do with a field of the common configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadOnly,
    /// What reads back after all ones were written.
    ReadWrite(u64),
}
use Access::{ReadOnly, ReadWrite};

/// § 4.1.4.3: name, offset, width, access, value after a reset.
const FIELDS: [(&str, u64, usize, Access, u64); 16] = [
    ("device_feature_select", 0x00, 4, ReadWrite(0xffff_ffff), 0),
    ("device_feature", 0x04, 4, ReadOnly, FEATURES & 0xffff_ffff),
    ("driver_feature_select", 0x08, 4, ReadWrite(0xffff_ffff), 0),
    ("driver_feature", 0x0c, 4, ReadWrite(0xffff_ffff), 0),
    // There is no vector 0xffff: it means none.
    ("config_msix_vector", 0x10, 2, ReadWrite(0xffff), 0xffff),
    ("num_queues", 0x12, 2, ReadOnly, 2),
    ("config_generation", 0x15, 1, ReadOnly, 0),
    ("queue_select", 0x16, 2, ReadWrite(0xffff), 0),
    ("queue_size", 0x18, 2, ReadWrite(0xffff), toy::SIZES[0] as u64),
    ("queue_msix_vector", 0x1a, 2, ReadWrite(0xffff), 0xffff),
    // Only 1 enables (§ 4.1.4.3.2).
    ("queue_enable", 0x1c, 2, ReadWrite(0), 0),
    ("queue_notify_off", 0x1e, 2, ReadOnly, 0),
    ("queue_desc", 0x20, 8, ReadWrite(u64::MAX), 0),
    ("queue_driver", 0x28, 8, ReadWrite(u64::MAX), 0),
    ("queue_device", 0x30, 8, ReadWrite(u64::MAX), 0),
    // Fields of features that are not offered.
    ("queue_notif_config_data and the three after it", 0x38, 8, ReadOnly, 0),
];

#[test]
fn every_field_reads_as_after_a_reset_and_back_as_written() {
    for (name, offset, width, access, reset) in FIELDS {
        let mut guest = Guest::new();
        assert_eq!(guest.load(offset, width), reset, "{name} after a reset");
        let before = guest.common();
        guest.store(offset, width, u64::MAX);
        let expected = match access {
            ReadOnly => reset,
            ReadWrite(value) => value,
        };
        assert_eq!(guest.load(offset, width), expected, "{name} read back");
        if access == ReadOnly {
            assert!(guest.common() == before, "{name} changed something else");
        }
        guest.set_status(0);
        assert!(guest.common() == before, "{name} after a reset of the device");
    }
}

#[test]
fn a_field_is_written_at_its_width_or_not_at_all() {
    let mut guest = Guest::new();
    let before = guest.common();
    for (name, offset, width, _, _) in FIELDS {
        for len in [0, 1, 2, 3, 4, 8, 16] {
            // 64-bit fields also by halves (§ 4.1.3.1).
            if len != width && !(width == 8 && len == 4) {
                guest.transport.write_bar(offset, &[1; 16][..len]);
                assert!(guest.common() == before, "{len} bytes to {name}");
            }
        }
    }
    for offset in [DEVICE_STATUS as u64, 0x21, 0x22, 0x26, 0x3c, 0x40, 0x7ff, BAR_SIZE, u64::MAX - 1, u64::MAX] {
        for len in [2, 4, 8] {
            guest.transport.write_bar(offset, &[1; 8][..len]);
        }
    }
    assert!(guest.common() == before);
}

#[test]
fn a_queue_address_is_written_whole_or_by_halves() {
    let mut guest = Guest::new();
    for field in [0x20, 0x28, 0x30] {
        guest.store(field, 8, 0x1122_3344_5566_7788);
        assert_eq!(guest.load(field, 8), 0x1122_3344_5566_7788);
        guest.store(field + 4, 4, 0xa);
        guest.store(field, 4, 0xb);
        assert_eq!(guest.load(field, 8), 0xa_0000_000b);
    }
    let queue = guest.transport.core().queue().unwrap();
    assert_eq!([queue.table, queue.available, queue.used], [GuestAddress(0xa_0000_000b); 3]);
}

#[test]
fn the_queue_fields_belong_to_the_selected_queue() {
    let mut guest = Guest::new();
    for index in [0, 1] {
        guest.store(QUEUE_SELECT as u64, 2, index);
        guest.store(QUEUE_SIZE as u64, 2, 4 << index);
        guest.store(QUEUE_MSIX_VECTOR as u64, 2, index + 1);
        guest.store(QUEUE_DESC as u64, 8, 0x1000 * (index + 1));
    }
    for index in [0, 1] {
        guest.store(QUEUE_SELECT as u64, 2, index);
        let values = [(QUEUE_SIZE, 2), (QUEUE_MSIX_VECTOR, 2), (QUEUE_NOTIFY_OFF, 2), (QUEUE_DESC, 8)];
        let values = values.map(|(field, width)| guest.load(field as u64, width));
        assert_eq!(values, [4 << index, index + 1, index, 0x1000 * (index + 1)]);
    }
    // One that is not there: size 0 and no vector, whatever is written.
    for index in [2, 0xffff] {
        guest.store(QUEUE_SELECT as u64, 2, index);
        for (field, width) in [(QUEUE_SIZE, 2), (QUEUE_ENABLE, 2), (QUEUE_DESC, 8), (QUEUE_MSIX_VECTOR, 2)] {
            guest.store(field as u64, width, 1);
        }
        let values = [(QUEUE_SIZE, 2), (QUEUE_MSIX_VECTOR, 2), (QUEUE_ENABLE, 2), (QUEUE_DESC, 8)];
        assert_eq!(values.map(|(field, width)| guest.load(field as u64, width)), [0, 0xffff, 0, 0]);
    }
}

#[test]
fn an_enabled_queue_keeps_its_fields_but_for_the_vector() {
    let mut guest = Guest::new();
    guest.boot();
    for queue in [0, 1] {
        guest.store(QUEUE_SELECT as u64, 2, queue);
        let before = guest.common();
        guest.store(QUEUE_SIZE as u64, 2, 2);
        guest.store(QUEUE_ENABLE as u64, 2, 0);
        for field in [QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE] {
            guest.store(field as u64, 8, u64::MAX);
            guest.store(field as u64 + 4, 4, u64::MAX);
        }
        assert!(guest.common() == before);
        guest.store(QUEUE_MSIX_VECTOR as u64, 2, 0);
        assert_eq!(guest.load(QUEUE_MSIX_VECTOR as u64, 2), 0);
    }
}

#[test]
fn features_that_were_not_offered_are_refused() {
    for (features, fine) in [
        (FEATURES, true),
        (VERSION_1, true),
        (FEATURES & !VERSION_1, false),
        (FEATURES | 1, false),
        (FEATURES | 1 << 34, false),
    ] {
        let mut guest = Guest::new();
        guest.set_status(DRIVER);
        guest.accept(features);
        assert_eq!(guest.load(DRIVER_FEATURE as u64, 4), features >> 32);
        guest.set_status(FEATURES_OK);
        assert_eq!(guest.status(), if fine { FEATURES_OK } else { DRIVER }, "{features:#x}");
        guest.accept(0);
        guest.set_status(DRIVER_OK);
        assert_eq!(guest.record.starts.load(Ordering::SeqCst), u64::from(fine), "{features:#x}");
        assert!(!fine || guest.record.features.load(Ordering::SeqCst) == features);
    }
}

#[test]
fn what_is_withheld_is_neither_offered_nor_accepted() {
    let mut guest = Guest::new();
    guest.transport.prepare(|core| core.withhold(EVENT_IDX));
    assert_eq!(guest.load(DEVICE_FEATURE as u64, 4), FEATURES & !EVENT_IDX & 0xffff_ffff);
    guest.set_status(DRIVER);
    guest.accept(FEATURES);
    guest.set_status(FEATURES_OK);
    assert_eq!(guest.status(), DRIVER);
}

#[test]
fn the_device_configuration_is_memory_and_writes_to_it_reach_the_device() {
    let mut guest = Guest::new();
    assert_eq!(guest.load(DEVICE_CONFIG as u64, 4) as u32, u32::from_le_bytes(toy::CONFIG));
    guest.store(DEVICE_CONFIG as u64, 1, 7);
    guest.store(DEVICE_CONFIG as u64 + 2, 2, 0x0809);
    guest.store(DEVICE_CONFIG as u64 + 0x7f8, 8, 0);
    let writes = guest.record.config_writes.lock().unwrap();
    assert_eq!(*writes, [(0, vec![7]), (2, vec![9, 8]), (0x7f8, vec![0; 8])]);
}

fn store() -> impl Strategy<Value = (u64, usize, u64)> {
    let field = prop::sample::select(FIELDS.to_vec()).prop_map(|(_, offset, width, _, _)| (offset, width));
    let place = prop_oneof![
        8 => field,
        5 => Just((DEVICE_STATUS as u64, 1)),
        1 => (0..0x40_u64, prop::sample::select(vec![1, 2, 4, 8])),
    ];
    let value = prop_oneof![
        4 => 0..4_u64,
        4 => prop::sample::select(vec![DRIVER as u64, FEATURES_OK as u64, DRIVER_OK as u64, 16, 0x1000, 0x2000, 0x4000]),
        2 => prop::sample::select(vec![FEATURES & 0xffff_ffff, FEATURES >> 32]),
        1 => any::<u64>(),
    ];
    (place, value).prop_map(|((offset, width), value)| (offset, width, value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn from_wherever_writes_have_led_a_reset_leads_back_to_power_on(stores in prop::collection::vec(store(), 0..60)) {
        let mut guest = Guest::new();
        let power_on = guest.common();
        for (offset, width, value) in stores {
            let before = guest.status();
            guest.store(offset, width, value);
            let now = guest.status();
            let reset = (offset, width) == (DEVICE_STATUS as u64, 1) && value & 0xff == 0;
            prop_assert!(reset || now & before == before, "status bits went away: {before:#x} to {now:#x}");
            let runs = u32::from(now) & VIRTIO_CONFIG_S_DRIVER_OK != 0;
            prop_assert!(!runs || u32::from(now) & VIRTIO_CONFIG_S_FEATURES_OK != 0, "DRIVER_OK without FEATURES_OK");
        }
        guest.set_status(0);
        prop_assert!(guest.common() == power_on);
        guest.boot();
    }
}
