use std::fs::File;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;
use crate::arch::{Part, PlatformAccess};
use crate::exits::{Access, Party};
use crate::live::{Page, Shape};

fn shape() -> Shape {
    Shape { vcpus: 2, devices: vec![("console".into(), "console", 2), ("disk0".into(), "block", 1)] }
}

/// A page that another process could map, and a copy of it.
fn page() -> (Page, File) {
    let file = tempfile::tempfile().unwrap();
    (Page::new(&shape(), Some(&file)).unwrap(), file)
}

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn counts_are_read_by_any_holder_of_the_file() {
    let (page, file) = page();
    let vcpus = [page.vcpu(0).unwrap(), page.vcpu(1).unwrap()];
    assert!(page.vcpu(2).is_none() && page.queue(3).is_none());
    for _ in 0..3 {
        vcpus[0].count(Party::Platform(Part::Acpi), Access::Platform(PlatformAccess::PortWrite));
    }
    vcpus[1].count(Party::Platform(Part::Acpi), Access::Platform(PlatformAccess::PortWrite));
    vcpus[1].count(Party::Device(1), Access::MmioRead);
    vcpus[1].count(Party::Device(2), Access::MmioRead);
    vcpus[1].eoi.add(7);
    vcpus[0].interrupted.add(2);
    let disk = page.queue(2).unwrap();
    disk.requests.add(11);
    disk.bytes_to_guest.add(4096);
    page.refresh(|| {
        page.set_kernel(0, &[Some(100), None, Some(5)]);
        page.set_queue(2, Some(9), Some([1, 2, 3]));
    });
    let reading = Reading::parse(&bytes(&file)).unwrap();
    assert_eq!(reading.pid, std::process::id());
    assert!(reading.refreshed_ms > 0);
    let report = reading.report();
    let monitor: Vec<_> =
        report.monitor.iter().map(|row| (row.party.as_str(), row.access.as_ref(), row.exits)).collect();
    assert_eq!(monitor, [("acpi", "port-write", 4), ("disk0", "mmio-read", 1)]);
    assert_eq!((report.vcpus[0].exits, report.vcpus[1].exits), (Some(100), None));
    let reason = |vcpu: usize, name: &str| {
        let row = report.vcpus[vcpu].reasons.iter().find(|row| row.reason == name).unwrap();
        (row.monitor, row.kernel)
    };
    assert_eq!((reason(0, "port"), reason(0, "mmio")), ((3, None), (0, Some(5))));
    assert_eq!(
        (reason(1, "eoi"), reason(0, "signal"), reason(0, "unaccounted")),
        ((7, None), (2, None), (0, Some(90)))
    );
    let names: Vec<_> = report.devices.iter().map(|device| (device.name.as_str(), device.queues.len())).collect();
    assert_eq!(names, [("console", 2), ("disk0", 1)]);
    let queue = &report.devices[1].queues[0];
    assert_eq!((queue.kicks, queue.requests, queue.bytes_to_guest), (9, 11, 4096));
    let polling = queue.polling.as_ref().unwrap();
    assert_eq!((polling.found, polling.empty, polling.nanoseconds), (1, 2, 3));
    assert!(report.devices[0].queues[1].polling.is_none());
}

#[test]
fn a_page_that_is_not_ours_is_refused() {
    let (_page, file) = page();
    let good = bytes(&file);
    let changed = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        Reading::parse(&bytes).unwrap_err()
    };
    assert_eq!(changed(0, 0), ReadingError::Magic);
    assert_eq!(changed(at::AT_VERSION, 2), ReadingError::Version(2));
    assert_eq!(changed(at::AT_SEQUENCE, 1), ReadingError::Busy);
    for field in [at::AT_VCPUS, at::AT_PARTIES, at::AT_QUEUES, at::AT_FIRST_VCPU, at::AT_FIRST_QUEUE, at::AT_KERNEL] {
        assert!(matches!(changed(field, u32::MAX), ReadingError::Short { .. }), "{field}");
    }
    let first_queue = u32::from_le_bytes(good[at::AT_FIRST_QUEUE..at::AT_FIRST_QUEUE + 4].try_into().unwrap());
    assert_eq!(changed(first_queue as usize, 0), ReadingError::Party(0), "unclaimed addresses have no queues");
    assert_eq!(Reading::parse(&[]).unwrap_err(), ReadingError::Magic);
    for len in 8..good.len() {
        assert!(Reading::parse(&good[..len]).is_err(), "the first {len} bytes");
    }
}

#[test]
fn names_are_shown_on_terminals() {
    let (_page, file) = page();
    let mut bytes = bytes(&file);
    let device = at::HEADER + 6 * at::PARTY;
    bytes[device..device + 6].copy_from_slice(b"a\x1b[2J ");
    let report = Reading::parse(&bytes).unwrap().report();
    assert_eq!(report.devices[0].name, "a?[2J?e");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in the file, reading it ends, and so does all that is done with it.
    #[test]
    fn any_bytes_are_a_report_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        header in prop::collection::vec((8..at::HEADER / 4, any::<u32>()), 0..3),
        len in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let (_page, file) = page();
        let mut bytes = bytes(&file);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (word, value) in header {
            bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
        }
        if cut {
            bytes.truncate(len.index(bytes.len()));
        }
        if let Ok(reading) = Reading::parse(&bytes) {
            let report = reading.report();
            prop_assert!(report.vcpus.len() * at::VCPU_TABLE <= bytes.len());
        }
    }
}
