//! Compressed layers of any kind: what unpacks is a tar, or is not, and neither costs more than it should.

#![no_main]

use std::io::Read;

use illico_image::compress::unpacked;
use illico_image::tar::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(source) = unpacked(bytes) else { return };
    // A bomb may unpack to anything; this is about what happens on the way.
    let mut reader = Reader::new(source.take(4 << 20));
    while let Ok(Some(entry)) = reader.next_entry() {
        let stored = entry.segments.iter().map(|segment| segment.len).sum::<u64>();
        assert!(stored <= i64::MAX as u64);
    }
});
