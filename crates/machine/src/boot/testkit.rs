//! Small kernels, made byte by byte for tests.

use std::fs::File;
use std::io::Write;

use illico_memory::{GuestAddress, Layout, Pages, Ram};

/// An ELF file to be: what a test does not care about has a value that boots.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) class: u8,
    pub(crate) machine: u16,
    pub(crate) kind: u16,
    pub(crate) entry: u64,
    /// Physical address, bytes in the file, bytes in memory.
    pub(crate) segments: Vec<(u64, Vec<u8>, u64)>,
    /// The notes, and the alignment of their segment.
    pub(crate) notes: Option<(Vec<u8>, u64)>,
    /// More program headers, of types that the loader knows or not.
    pub(crate) more: Vec<u32>,
}

impl Kernel {
    /// 64 bits, one segment at 2 MiB, no notes.
    pub(crate) fn plain() -> Self {
        Self {
            class: 2,
            machine: 62,
            kind: 2,
            entry: 0x20_0000,
            segments: vec![(0x20_0000, b"\xf4kernel".to_vec(), 0x3000)],
            notes: None,
            more: vec![],
        }
    }

    /// The same with a PVH entry.
    pub(crate) fn pvh() -> Self {
        Self { notes: Some((note(b"Xen\0", 18, &0x20_0001_u64.to_le_bytes(), 4), 4)), ..Self::plain() }
    }

    /// The same in 32 bits.
    pub(crate) fn pvh32() -> Self {
        let notes = Some((note(b"Xen\0", 18, &0x20_0001_u32.to_le_bytes(), 4), 4));
        Self { class: 1, machine: 3, notes, ..Self::plain() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let wide = self.class == 2;
        let (header, each) = if wide { (64, 56) } else { (52, 32) };
        let number = |value: u64| if wide { value.to_le_bytes().to_vec() } else { value.to_le_bytes()[..4].to_vec() };
        let count = self.segments.len() + usize::from(self.notes.is_some()) + self.more.len();
        let mut file = b"\x7fELF".to_vec();
        file.extend([self.class, 1, 1]);
        file.resize(16, 0);
        file.extend(self.kind.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for value in [self.entry, header as u64, 0] {
            file.extend(number(value));
        }
        file.extend(0_u32.to_le_bytes());
        for value in [header as u16, each as u16, count as u16, 0, 0, 0] {
            file.extend(value.to_le_bytes());
        }
        let mut data: Vec<u8> = Vec::new();
        let start = header + each * count;
        let mut part = |kind: u32, paddr: u64, bytes: &[u8], memsz: u64, align: u64| {
            let (offset, filesz) = ((start + data.len()) as u64, bytes.len() as u64);
            data.extend(bytes);
            file.extend(kind.to_le_bytes());
            if wide {
                file.extend(7_u32.to_le_bytes());
            }
            for value in [offset, paddr | 0x8000_0000, paddr, filesz, memsz] {
                file.extend(number(value));
            }
            if !wide {
                file.extend(7_u32.to_le_bytes());
            }
            file.extend(number(align));
        };
        for (paddr, bytes, memsz) in &self.segments {
            part(1, *paddr, bytes, *memsz, 0x1000);
        }
        if let Some((notes, align)) = &self.notes {
            part(4, 0, notes, notes.len() as u64, *align);
        }
        for kind in &self.more {
            part(*kind, 0, b"", 0, 1);
        }
        file.extend(data);
        file
    }

    pub(crate) fn file(&self) -> File {
        file(&self.bytes())
    }
}

/// A note as it stands in the file.
pub(crate) fn note(name: &[u8], kind: u32, desc: &[u8], align: usize) -> Vec<u8> {
    let mut note = Vec::new();
    for value in [name.len() as u32, desc.len() as u32, kind] {
        note.extend(value.to_le_bytes());
    }
    for part in [name, desc] {
        note.extend(part);
        note.resize(note.len().next_multiple_of(align), 0);
    }
    note
}

pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

pub(crate) fn ram(mib: u64) -> Ram {
    Ram::new(&Layout::around_hole(mib << 20), Pages::Small).unwrap()
}

pub(crate) fn bytes_at(ram: &Ram, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    ram.read(GuestAddress(at), &mut bytes).unwrap();
    bytes
}
