//! A second look at images, for tests: reads what was written, from the description of the format and not by the writer's
//! code. The kernel and erofs-utils are the judges; this answers what a test asks about one file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]

use std::collections::BTreeMap;

/// What is found at a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub number: u64,
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    pub nlink: u32,
    pub rdev: u32,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub content: Vec<u8>,
    /// Where a file's data begins.
    pub offset: u64,
}

/// Everything in an image, by its path without a slash in front; the root is "".
pub fn read(image: &[u8]) -> BTreeMap<Vec<u8>, Found> {
    assert_eq!(u32_at(image, 1024), 0xe0f5_e1e2, "the magic number");
    assert_eq!(image[1024 + 12], 12, "blocks of 4 KiB");
    let meta = u64::from(u32_at(image, 1024 + 40)) * 4096;
    let root = u64::from(u16_at(image, 1024 + 14));
    let mut all = BTreeMap::new();
    let mut todo = vec![(Vec::new(), root)];
    while let Some((path, nid)) = todo.pop() {
        let found = inode(image, meta, nid);
        if found.mode & 0o170_000 == 0o040_000 {
            let mut last: Vec<u8> = Vec::new();
            for (name, child) in entries(&found.content) {
                assert!(last < name, "entries are sorted");
                last.clone_from(&name);
                if name != b"." && name != b".." {
                    let slash = if path.is_empty() { &b""[..] } else { b"/" };
                    todo.push(([&path, slash, &name].concat(), child));
                }
            }
        }
        assert!(all.insert(path, found).is_none(), "two entries of one name");
    }
    all
}

fn inode(image: &[u8], meta: u64, nid: u64) -> Found {
    let at = (meta + nid * 32) as usize;
    assert!(at % 4096 + 64 <= 4096, "an inode lies in one block");
    let format = u16_at(image, at);
    assert_eq!(format & 1, 1, "extended");
    let icount = usize::from(u16_at(image, at + 2));
    let size = u64_at(image, at + 8) as usize;
    let union = u32_at(image, at + 16);
    let xattr_len = if icount == 0 { 0 } else { 12 + 4 * (icount - 1) };
    let mode = u16_at(image, at + 4);
    let has_data = matches!(mode & 0o170_000, 0o040_000 | 0o100_000 | 0o120_000) && size > 0;
    let offset = match format >> 1 {
        0 => union as usize * 4096,
        2 => at + 64 + xattr_len,
        other => panic!("layout {other}"),
    };
    if format >> 1 == 2 {
        assert!(offset % 4096 + size <= 4096, "what is inline lies in the inode's block");
    }
    Found {
        number: nid,
        mode,
        uid: u32_at(image, at + 24),
        gid: u32_at(image, at + 28),
        mtime: (u64_at(image, at + 32) as i64, u32_at(image, at + 40)),
        nlink: u32_at(image, at + 44),
        rdev: if has_data { 0 } else { union },
        xattrs: xattrs(&image[at + 64..at + 64 + xattr_len]),
        content: if has_data { image[offset..offset + size].to_vec() } else { Vec::new() },
        offset: if has_data { offset as u64 } else { 0 },
    }
}

fn xattrs(body: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut at = 12;
    while at + 4 <= body.len() {
        let (name_len, index) = (usize::from(body[at]), body[at + 1]);
        let value_len = usize::from(u16_at(body, at + 2));
        let prefix: &[u8] = match index {
            1 => b"user.",
            2 => b"system.posix_acl_access",
            3 => b"system.posix_acl_default",
            4 => b"trusted.",
            6 => b"security.",
            other => panic!("prefix {other}"),
        };
        let name = [prefix, &body[at + 4..at + 4 + name_len]].concat();
        all.insert(name, body[at + 4 + name_len..at + 4 + name_len + value_len].to_vec());
        at = (at + 4 + name_len + value_len).next_multiple_of(4);
    }
    all
}

fn entries(directory: &[u8]) -> Vec<(Vec<u8>, u64)> {
    let mut all = Vec::new();
    for block in directory.chunks(4096) {
        let count = usize::from(u16_at(block, 8)) / 12;
        for index in 0..count {
            let start = usize::from(u16_at(block, index * 12 + 8));
            let end = if index + 1 < count { usize::from(u16_at(block, index * 12 + 20)) } else { block.len() };
            let name = block[start..end].split(|&byte| byte == 0).next().unwrap();
            all.push((name.to_vec(), u64_at(block, index * 12)));
        }
    }
    all
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
