//! Hostile layers: they end with an error or with an image in which everything is where it should be.

#![no_main]

use std::os::unix::fs::FileExt;

use arbitrary::Arbitrary;
use illico_fuzz::Broken;
use illico_fuzz::kernel::file;
use illico_image::Limits;
use illico_image::erofs::testkit;
use illico_image::layer::Root;
use illico_image::tar::testkit::{Archive, Raw};
use libfuzzer_sys::fuzz_target;

/// Few names, so that entries meet.
const NAMES: [&[u8]; 12] =
    [b"a", b"b", b"c/", b".", b"..", b"/", b".wh.a", b".wh..wh..opq", b".wh.c", b"\xff", b"long-name", b""];
const RECORDS: [(&[u8], &[u8]); 6] = [
    (b"path", b"a/b"),
    (b"SCHILY.xattr.user.x", b"value"),
    (b"SCHILY.xattr.security.capability", b"\x01\0\0\x02"),
    (b"GNU.sparse.map", b"1,2,5,1"),
    (b"GNU.sparse.size", b"9000"),
    (b"uid", b"99999"),
];

#[derive(Arbitrary, Debug)]
struct Entry {
    name: Vec<u8>,
    link: Vec<u8>,
    kind: u8,
    data: Vec<u8>,
    announced: Option<u32>,
    records: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Plan {
    layers: Vec<(Vec<Entry>, Option<Broken>)>,
}

fn path(names: &[u8]) -> Vec<u8> {
    names.iter().take(4).map(|&name| NAMES[usize::from(name) % NAMES.len()]).collect::<Vec<_>>().join(&b'/')
}

fn layer(entries: &[Entry], broken: Option<&Broken>) -> Vec<u8> {
    let mut archive = Archive::new();
    for entry in entries.iter().take(40) {
        let records: Vec<_> =
            entry.records.iter().take(3).map(|&at| RECORDS[usize::from(at) % RECORDS.len()]).collect();
        if !records.is_empty() {
            archive = archive.pax(&records);
        }
        let kind = b"0123456S7"[usize::from(entry.kind) % 9];
        let raw = Raw {
            link: path(&entry.link),
            size: entry.announced.map_or(0, u64::from),
            ..Raw::new(kind, &path(&entry.name))
        };
        let data = if matches!(kind, b'0' | b'7' | b'S') { &entry.data[..entry.data.len().min(9000)] } else { b"" };
        archive = archive.raw(raw, data);
    }
    let mut bytes = archive.end();
    if let Some(broken) = broken {
        broken.apply(&mut bytes);
    }
    bytes
}

fuzz_target!(|plan: Plan| {
    let image = file(b"");
    let mut root = Root::new(image.try_clone().unwrap(), Limits { unpacked: 16 << 20, metadata: 64 << 10 });
    for (number, (entries, broken)) in plan.layers.iter().take(4).enumerate() {
        if root.apply(number as u32, &layer(entries, broken.as_ref())[..]).is_err() {
            return;
        }
    }
    let inodes = root.tree().len();
    let (_, len) = root.finish([0; 16]).unwrap();
    assert_eq!(len % (2 << 20), 0);
    let mut bytes = vec![0; len as usize];
    image.read_exact_at(&mut bytes, 0).unwrap();
    let found = testkit::read(&bytes);
    let numbers: std::collections::BTreeSet<u64> = found.values().map(|one| one.number).collect();
    assert_eq!(numbers.len(), inodes, "every inode has a number of its own");
});
