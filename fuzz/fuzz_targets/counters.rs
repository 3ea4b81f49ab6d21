//! The page of counters of a running machine, as a reader finds it: whatever is in it is a report or an error.

#![no_main]

use illico_machine::live::{Page, Reading, Shape};
use libfuzzer_sys::fuzz_target;

/// Bytes of the header and of the page behind it that are changed: where, and what is there instead.
#[derive(Debug, arbitrary::Arbitrary)]
struct Input {
    words: Vec<(u8, u32)>,
    bytes: Vec<(u16, u8)>,
    length: Option<u16>,
}

fuzz_target!(|input: Input| {
    let shape = Shape { vcpus: 2, devices: vec![("console".into(), "console", 2), ("disk0".into(), "block", 1)] };
    let file = rustix::fs::memfd_create("counters", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd");
    let file = std::fs::File::from(file);
    let _page = Page::new(&shape, Some(&file)).expect("a page");
    let mut bytes = vec![0; file.metadata().expect("its length").len() as usize];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).expect("its bytes");
    for (word, value) in input.words {
        // Behind the magic number and the version: without those nothing else is looked at.
        let at = 12 + 4 * (usize::from(word) % 14);
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    for (at, value) in input.bytes {
        let at = usize::from(at) % bytes.len();
        bytes[at] = value;
    }
    if let Some(length) = input.length {
        bytes.truncate(length.into());
    }
    if let Ok(reading) = Reading::parse(&bytes) {
        let report = reading.report();
        assert!(report.devices.iter().map(|device| device.queues.len()).sum::<usize>() <= bytes.len());
    }
});
