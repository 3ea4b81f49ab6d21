//! Kernels that are nearly right: ELF files, and bzImages with one inside.

use std::fs::File;
use std::io::Write;

use arbitrary::Arbitrary;
use illico_image::kernels::bzimage::Packing;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::Broken;

/// Where something is: mostly near what decides, sometimes anywhere.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Number {
    Page(u16),
    Byte(u16),
    Any(u64),
}

impl Number {
    fn value(self) -> u64 {
        match self {
            Self::Page(page) => u64::from(page) << 12,
            Self::Byte(byte) => byte.into(),
            Self::Any(any) => any,
        }
    }
}

/// A program header and the bytes it names.
#[derive(Arbitrary, Debug)]
pub struct Segment {
    kind: u8,
    paddr: Number,
    bytes: Vec<u8>,
    more: Number,
    align: u8,
}

/// A note.
#[derive(Arbitrary, Debug)]
pub struct Note {
    xen: bool,
    kind: u8,
    desc: Vec<u8>,
}

/// An ELF file.
#[derive(Arbitrary, Debug)]
pub struct Elf {
    narrow: bool,
    kind: u8,
    entry: Number,
    segments: Vec<Segment>,
    notes: Vec<Note>,
    broken: Broken,
}

impl Elf {
    pub fn bytes(&self) -> Vec<u8> {
        let (header, each) = if self.narrow { (52, 32) } else { (64, 56) };
        let number = |value: u64| value.to_le_bytes()[..if self.narrow { 4 } else { 8 }].to_vec();
        let notes: Vec<u8> = self.notes.iter().take(8).flat_map(Note::bytes).collect();
        let count = self.segments.len().min(8) + 1;
        let mut file = b"\x7fELF".to_vec();
        file.extend([if self.narrow { 1 } else { 2 }, 1, 1]);
        file.resize(16, 0);
        file.extend(u16::from(self.kind % 6).to_le_bytes());
        file.extend((if self.narrow { 3_u16 } else { 62 }).to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for value in [self.entry.value(), header as u64, 0] {
            file.extend(number(value));
        }
        file.extend(0_u32.to_le_bytes());
        for value in [header as u16, each as u16, count as u16, 0, 0, 0] {
            file.extend(value.to_le_bytes());
        }
        let mut data: Vec<u8> = Vec::new();
        let mut part = |kind: u32, paddr: u64, bytes: &[u8], memsz: u64, align: u64| {
            let offset = (header + each * count + data.len()) as u64;
            data.extend(bytes);
            file.extend(kind.to_le_bytes());
            if !self.narrow {
                file.extend(7_u32.to_le_bytes());
            }
            for value in [offset, paddr, paddr, bytes.len() as u64, memsz] {
                file.extend(number(value));
            }
            if self.narrow {
                file.extend(7_u32.to_le_bytes());
            }
            file.extend(number(align));
        };
        for segment in self.segments.iter().take(8) {
            let memsz = (segment.bytes.len() as u64).saturating_add(segment.more.value());
            let kind = if segment.kind < 128 { 1 } else { u32::from(segment.kind % 8) };
            part(kind, segment.paddr.value(), &segment.bytes, memsz, segment.align.into());
        }
        part(4, 0, &notes, notes.len() as u64, 4);
        file.extend(data);
        self.broken.apply(&mut file);
        file
    }
}

impl Note {
    fn bytes(&self) -> Vec<u8> {
        let name: &[u8] = if self.xen { b"Xen\0" } else { b"GNU\0" };
        let kind = if self.kind < 128 { 18 } else { u32::from(self.kind % 4) };
        let mut note = Vec::new();
        for value in [4, self.desc.len() as u32, kind] {
            note.extend(value.to_le_bytes());
        }
        note.extend(name);
        note.extend(&self.desc);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }
}

/// How a bzImage is packed.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Packed {
    Gzip,
    Lz4,
    Xz,
    Zstd,
    /// As the bytes are, after the magic of a compression.
    Raw(u8),
}

/// A bzImage.
#[derive(Arbitrary, Debug)]
pub struct BzImage {
    elf: Elf,
    packed: Packed,
    sectors: u8,
    offset: u8,
    /// What the header says of the length, if it is wrong.
    length: Option<u32>,
    payload: Broken,
    header: Broken,
}

impl BzImage {
    pub fn bytes(&self) -> Vec<u8> {
        let mut payload = pack(&self.elf.bytes(), self.packed);
        self.payload.apply(&mut payload);
        let sectors = self.sectors % 8;
        let start = (usize::from(if sectors == 0 { 4 } else { sectors }) + 1) * 512 + usize::from(self.offset);
        let mut image = vec![0; start.max(0x260)];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x1f1, &[sectors]);
        put(0x1fe, &[0x55, 0xaa]);
        put(0x202, b"HdrS");
        put(0x206, &0x020f_u16.to_le_bytes());
        put(0x248, &u32::from(self.offset).to_le_bytes());
        put(0x24c, &self.length.unwrap_or(payload.len() as u32).to_le_bytes());
        self.header.apply(&mut image);
        image.extend(payload);
        image
    }
}

fn pack(bytes: &[u8], packed: Packed) -> Vec<u8> {
    match packed {
        Packed::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(bytes).unwrap();
            packed.finish().unwrap()
        }
        Packed::Lz4 => {
            let block = lz4_flex::block::compress(bytes);
            [magic(Packing::Lz4), &(block.len() as u32).to_le_bytes(), &block].concat()
        }
        Packed::Xz => {
            let mut options = lzma_rust2::XzOptions::with_preset(0);
            options.prepend_pre_filter(lzma_rust2::FilterType::BcjX86, 0);
            let mut packed = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            packed.write_all(bytes).unwrap();
            packed.finish().unwrap()
        }
        Packed::Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
        Packed::Raw(which) => {
            let all = [Packing::Gzip, Packing::Lz4, Packing::Xz, Packing::Zstd];
            [magic(all[usize::from(which) % 4]), bytes].concat()
        }
    }
}

fn magic(packing: Packing) -> &'static [u8] {
    match packing {
        Packing::Gzip => b"\x1f\x8b\x08\0",
        Packing::Lz4 => b"\x02\x21\x4c\x18",
        Packing::Xz => b"\xfd7zXZ\0",
        Packing::Zstd => b"\x28\xb5\x2f\xfd",
    }
}

/// `bytes` as an open file, which is all that the monitor ever sees of a kernel.
pub fn file(bytes: &[u8]) -> File {
    let mut file = File::from(memfd_create(c"kernel", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    file
}
