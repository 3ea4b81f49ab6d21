//! A hostile ELF kernel: parsing ends with a value, and what was accepted holds what it promises.

#![no_main]

use illico_fuzz::kernel::{self, file};
use illico_machine::boot::elf::{Elf, Start};
use illico_memory::{Layout, Pages, Ram};
use libfuzzer_sys::fuzz_target;

const RAM: u64 = 64 << 20;

thread_local! {
    static MEMORY: Ram = Ram::new(&Layout::flat(RAM), Pages::Small).unwrap();
}

fuzz_target!(|plan: kernel::Elf| {
    let bytes = plan.bytes();
    let file = file(&bytes);
    let Ok(elf) = Elf::read(&file) else { return };
    let address = match elf.start(None) {
        Ok(Start::Pvh(entry)) => u64::from(entry),
        Ok(Start::Linux64(entry)) => entry,
        Err(_) => return,
    };
    assert!(elf.segments.iter().any(|segment| segment.memory.contains(address)), "entry outside");
    for (index, one) in elf.segments.iter().enumerate() {
        assert!(one.offset + one.filesz <= bytes.len() as u64, "more than the file has");
        assert!(one.filesz <= one.memory.end - one.memory.start, "more than the segment holds");
        assert!(elf.segments[..index].iter().all(|two| !one.memory.overlaps(two.memory)), "segments overlap");
    }
    if MEMORY.with(|ram| elf.load(&file, ram)).is_ok() {
        assert!(elf.segments.iter().all(|segment| segment.memory.end <= RAM), "outside of RAM");
    }
});
