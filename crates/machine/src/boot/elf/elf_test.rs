#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;
use crate::boot::testkit::{Kernel, bytes_at, file, note, ram};

fn parse(bytes: &[u8]) -> Result<Elf, ElfError> {
    Elf::parse(&file(bytes), bytes.len() as u64)
}

fn told(kernel: &Kernel) -> String {
    parse(&kernel.bytes()).unwrap_err().to_string()
}

/// A PVH kernel with these notes.
fn noted(notes: Vec<u8>, align: u64) -> Kernel {
    Kernel { notes: Some((notes, align)), ..Kernel::plain() }
}

#[test]
fn a_kernel_is_loaded_to_its_physical_addresses() {
    let mut kernel = Kernel::pvh();
    kernel.segments.push((0x40_0000, b"data".to_vec(), 4));
    let elf = parse(&kernel.bytes()).unwrap();
    assert_eq!((elf.pvh, elf.linux64), (Some(0x20_0001), Some(0x20_0000)));
    let ram = ram(16);
    elf.load(&kernel.file(), &ram).unwrap();
    assert_eq!(bytes_at(&ram, 0x1f_ffff, 9), b"\0\xf4kernel\0");
    assert_eq!(bytes_at(&ram, 0x40_0000, 5), b"data\0");
}

#[test]
fn without_a_note_the_entry_is_that_of_the_header() {
    let elf = parse(&Kernel::plain().bytes()).unwrap();
    assert_eq!((elf.pvh, elf.linux64), (None, Some(0x20_0000)));
}

#[test]
fn a_32_bit_kernel_is_entered_by_pvh_only() {
    let elf = parse(&Kernel::pvh32().bytes()).unwrap();
    assert_eq!((elf.pvh, elf.linux64), (Some(0x20_0001), None));
    let bare = Kernel { notes: None, ..Kernel::pvh32() };
    assert!(told(&bare).starts_with("it has no PVH note, and neither is it a 64-bit kernel"));
}

#[test]
fn the_note_is_found_among_others_and_with_either_padding() {
    for align in [4, 8] {
        let mut notes = note(b"Linux\0", 0x101, b"\0\0\0\0", align);
        notes.extend(note(b"GNU\0", 3, &[7; 20], align));
        notes.extend(note(b"Xen\0", 5, b"xen-3.0\0", align));
        notes.extend(note(b"Xen\0", 18, &0x20_0002_u64.to_le_bytes(), align));
        assert_eq!(parse(&noted(notes, align as u64).bytes()).unwrap().pvh, Some(0x20_0002));
    }
}

#[test]
fn pvh_is_preferred_and_either_can_be_asked_for() {
    let start = |kernel: Kernel, wanted| parse(&kernel.bytes()).unwrap().start(wanted);
    assert_eq!(start(Kernel::pvh(), None).unwrap(), Start::Pvh(0x20_0001));
    assert_eq!(start(Kernel::plain(), None).unwrap(), Start::Linux64(0x20_0000));
    assert_eq!(start(Kernel::pvh(), Some(Protocol::Linux64)).unwrap(), Start::Linux64(0x20_0000));
    assert!(matches!(start(Kernel::plain(), Some(Protocol::Pvh)), Err(ElfError::NoPvhNote)));
    assert!(matches!(start(Kernel::pvh32(), Some(Protocol::Linux64)), Err(ElfError::NoLinux64)));
    let mut high = Kernel::pvh();
    high.segments.push((4 << 30, vec![], 1));
    assert!(matches!(start(high, Some(Protocol::Linux64)), Err(ElfError::Beyond { .. })));
}

#[test]
fn a_broken_note_is_an_error_and_not_a_kernel_without() {
    let long = noted(note(b"Xen\0", 18, &(1_u64 << 32).to_le_bytes(), 4), 4);
    assert!(told(&long).contains("above 4 GiB"));
    let odd = noted(note(b"Xen\0", 18, b"abc", 4), 4);
    assert!(told(&odd).contains("4 or 8 bytes"));
    let mut cut = note(b"Xen\0", 18, &[0; 8], 4);
    cut.truncate(16);
    assert!(told(&noted(cut, 4)).contains("passes the end"));
    let outside = noted(note(b"Xen\0", 18, &0x20_3000_u32.to_le_bytes(), 4), 4);
    assert!(told(&outside).contains("entry point 0x203000 is in none"));
    assert!(told(&noted(vec![0; 70_000], 4)).contains("64 KiB of notes"));
}

#[test]
fn what_is_no_kernel_is_named() {
    let program = Kernel { more: vec![3], ..Kernel::plain() };
    assert_eq!(told(&program), "it is a program for Linux user space, not a kernel");
    let program = noted(note(b"GNU\0", 1, &[0; 16], 4), 4);
    assert_eq!(told(&program), "it is a program for Linux user space, not a kernel");
    let library = Kernel { kind: 3, ..Kernel::plain() };
    assert_eq!(told(&library), "it is a shared library or a position-independent program, not a kernel");
    let module = Kernel { kind: 1, ..Kernel::plain() };
    assert_eq!(told(&module), "it is an object file or a kernel module, not a kernel");
    let arm = Kernel { machine: 183, ..Kernel::plain() };
    assert_eq!(told(&arm), "it is an ELF file for 64-bit ARM, this machine is x86-64");
    let nothing = Kernel { segments: vec![], ..Kernel::plain() };
    assert_eq!(told(&nothing), "it has nothing to load");
}

#[test]
fn a_position_independent_kernel_with_a_note_is_one() {
    assert!(parse(&Kernel { kind: 3, ..Kernel::pvh() }.bytes()).is_ok());
}

#[test]
fn a_truncated_file_is_told_wherever_it_ends() {
    for kernel in [Kernel::pvh(), Kernel::pvh32(), Kernel::plain()] {
        let bytes = kernel.bytes();
        for len in 16..bytes.len() {
            let error = parse(&bytes[..len]).unwrap_err();
            assert!(matches!(error, ElfError::Truncated { size, .. } if size == len as u64), "{len}: {error}");
        }
    }
}

#[test]
fn segments_keep_apart_from_each_other_and_from_the_monitors_own() {
    let mut twice = Kernel::plain();
    twice.segments.push((0x20_2fff, vec![], 1));
    assert_eq!(told(&twice), "its segment 0x202fff..0x203000 overlaps another one");
    let load = |paddr, memsz| {
        let mut kernel = Kernel::plain();
        kernel.segments.push((paddr, b"x".to_vec(), memsz));
        let file = kernel.file();
        Elf::parse(&file, kernel.bytes().len() as u64).unwrap().load(&file, &ram(16)).unwrap_err()
    };
    for (paddr, memsz) in [(0x8_0000, 0x1_0001), (0x9_4000, 1), (0xe_0000, 1), (0xf_ffff, 1)] {
        assert!(matches!(load(paddr, memsz), ElfError::Reserved { .. }), "{paddr:#x}");
    }
    for (paddr, memsz) in [(16 << 20, 1), (0xff_f000, 0x1001), (0xc000_0000, 1), (1 << 40, 1)] {
        assert!(matches!(load(paddr, memsz), ElfError::OutOfRam { ram: 16, .. }), "{paddr:#x}");
    }
}

#[test]
fn nothing_is_loaded_if_one_segment_does_not_fit() {
    let mut kernel = Kernel::plain();
    kernel.segments.push((16 << 20, b"x".to_vec(), 1));
    let (file, ram) = (kernel.file(), ram(16));
    assert!(Elf::parse(&file, kernel.bytes().len() as u64).unwrap().load(&file, &ram).is_err());
    assert_eq!(bytes_at(&ram, 0x20_0000, 2), b"\0\0");
}

#[test]
fn broken_headers_are_refused() {
    let bytes = Kernel::pvh().bytes();
    let with = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        parse(&bytes).unwrap_err()
    };
    const FIRST: usize = 64;
    assert!(matches!(with(5, &[2]), ElfError::Machine(_)));
    assert!(matches!(with(4, &[3]), ElfError::Header(_)));
    assert!(matches!(with(16, &[9]), ElfError::Header(_)));
    assert!(matches!(with(54, &[55]), ElfError::Header(_)));
    assert!(matches!(with(56, &[65]), ElfError::Header(_)));
    assert!(matches!(with(56, &[0]), ElfError::Empty));
    assert!(matches!(with(32, &[0xff; 8]), ElfError::Truncated { .. }));
    assert!(matches!(with(FIRST + 8, &[0xff; 8]), ElfError::Segment { .. }));
    assert!(matches!(with(FIRST + 24, &[0xff; 8]), ElfError::Segment { .. }));
    assert!(matches!(with(FIRST + 32, &[0xff; 8]), ElfError::Segment { .. }));
    assert!(matches!(with(FIRST + 40, &[1, 0, 0, 0]), ElfError::Segment { .. }));
}

proptest! {
    /// Whatever is broken, the parser ends with a value, and what it accepts holds what it promises.
    #[test]
    fn a_broken_kernel_never_panics(at in 0_usize..240, value in any::<[u8; 4]>(), which in 0_usize..3) {
        let kernel = vec![Kernel::plain(), Kernel::pvh(), Kernel::pvh32()].swap_remove(which);
        let mut bytes = kernel.bytes();
        let at = at.min(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&value);
        if let Ok(elf) = parse(&bytes) {
            prop_assert!(elf.pvh.is_some() || elf.linux64.is_some());
            for segment in &elf.segments {
                prop_assert!(segment.offset + segment.filesz <= bytes.len() as u64);
                prop_assert!(segment.memory.end - segment.memory.start >= segment.filesz);
            }
            let _ = elf.load(&file(&bytes), &ram(16));
        }
    }
}
