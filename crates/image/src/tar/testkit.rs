//! Archives for tests, written field by field: what a usual archiver refuses to write is what is wanted here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]

/// An archive that is being written.
#[derive(Debug, Clone, Default)]
pub struct Archive(Vec<u8>);

/// One header, whose fields can be anything.
#[derive(Debug, Clone)]
pub struct Raw {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub typeflag: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: u64,
    pub size: u64,
    pub major: u32,
    pub minor: u32,
}

impl Raw {
    pub fn new(typeflag: u8, name: &[u8]) -> Self {
        let name = name.to_vec();
        Self { name, link: Vec::new(), typeflag, mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0, major: 0, minor: 0 }
    }

    fn block(&self) -> Vec<u8> {
        let mut block = vec![0; 512];
        let name = self.name.len().min(100);
        block[..name].copy_from_slice(&self.name[..name]);
        let link = self.link.len().min(100);
        block[157..157 + link].copy_from_slice(&self.link[..link]);
        for (at, len, value) in [
            (100, 8, u64::from(self.mode)),
            (108, 8, u64::from(self.uid)),
            (116, 8, u64::from(self.gid)),
            (124, 12, self.size),
            (136, 12, self.mtime),
            (329, 8, u64::from(self.major)),
            (337, 8, u64::from(self.minor)),
        ] {
            octal(&mut block[at..at + len], value);
        }
        block[156] = self.typeflag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        sum(&mut block);
        block
    }
}

/// Octal digits, or a number of GNU's kind where they do not fit.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    if value < 1 << (3 * digits) {
        field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
    } else {
        for (to, from) in field.iter_mut().rev().zip(value.to_le_bytes()) {
            *to = from;
        }
        field[0] |= 0x80;
    }
}

/// Writes the checksum of a header.
pub fn sum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

impl Archive {
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry with its data, filled up to a block.
    #[must_use]
    pub fn raw(mut self, mut raw: Raw, data: &[u8]) -> Self {
        if !data.is_empty() {
            raw.size = data.len() as u64;
        }
        if raw.name.len() > 100 {
            let name = raw.name.clone();
            raw.name = b"long".to_vec();
            self = self.pax(&[(b"path", &name)]);
        }
        self.0.extend(raw.block());
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Records for the next entry.
    #[must_use]
    pub fn pax(self, records: &[(&[u8], &[u8])]) -> Self {
        let mut all = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut len = rest + 1;
            while len != rest + len.to_string().len() {
                len = rest + len.to_string().len();
            }
            all.extend(format!("{len} ").into_bytes());
            all.extend([key, &b"="[..], value, b"\n"].concat());
        }
        self.raw(Raw::new(b'x', b"PaxHeaders/0"), &all)
    }

    #[must_use]
    pub fn file(self, name: &str, data: &[u8]) -> Self {
        self.raw(Raw::new(b'0', name.as_bytes()), data)
    }

    #[must_use]
    pub fn directory(self, name: &str) -> Self {
        self.raw(Raw { mode: 0o755, ..Raw::new(b'5', name.as_bytes()) }, b"")
    }

    #[must_use]
    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(Raw { link: target.into(), mode: 0o777, ..Raw::new(b'2', name.as_bytes()) }, b"")
    }

    #[must_use]
    pub fn link(self, name: &str, target: &str) -> Self {
        self.raw(Raw { link: target.into(), ..Raw::new(b'1', name.as_bytes()) }, b"")
    }

    /// Bytes that are no entry.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// The archive with its end.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    /// The archive so far.
    pub fn cut(self) -> Vec<u8> {
        self.0
    }
}
