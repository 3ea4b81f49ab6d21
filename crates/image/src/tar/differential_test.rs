//! Archives as other readers see them: GNU tar, bsdtar and Python's tarfile, on generated archives whose meaning they agree on.
//! Sparse files are not among them: those that GNU tar writes are read in reader_test.rs.
//! A reader that is not installed is named aloud and left out; the Makefile's TEST_PACKAGES install all of them.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::Reader;
use super::testkit::{Archive, Raw, sum};
use crate::tar::Type;

/// One line an entry: kind, name, mode, owner, group, seconds, link, size, and the sum of its bytes.
const SCRIPT: &str = r#"
import io, math, sys, tarfile
t = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
for m in t:
    kind = "f" if m.isreg() else "d" if m.isdir() else "l" if m.issym() else "h" if m.islnk() else "c" if m.ischr() else "b" if m.isblk() else "p"
    data = t.extractfile(m).read() if kind == "f" else b""
    link = m.linkname if kind in "lh" else ""
    print(kind, m.name.strip("/"), m.mode & 0o7777, m.uid, m.gid, math.floor(m.mtime), link, len(data), sum(data))
"#;

/// What a program makes of standard input; `None` if it is not installed.
fn output(program: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    let command = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = command else {
        eprintln!("{program} is not installed: archives are not compared with it");
        return None;
    };
    // Programs may stop at the end of the archive.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What our reader makes of it: Python's lines, the names, and the content of all files.
fn ours(archive: &[u8]) -> (String, String, String) {
    let (mut lines, mut names, mut content) = (String::new(), String::new(), Vec::new());
    let mut reader = Reader::new(archive);
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut data = Vec::new();
        for segment in &entry.segments {
            data.resize(segment.offset as usize, 0);
            reader.data().take(segment.len).read_to_end(&mut data).unwrap();
        }
        data.resize(entry.size as usize, 0);
        let kind = match entry.kind {
            Type::File => 'f',
            Type::Directory => 'd',
            Type::Symlink => 'l',
            Type::HardLink => 'h',
            Type::CharDevice => 'c',
            Type::BlockDevice => 'b',
            Type::Fifo => 'p',
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let link = if matches!(kind, 'l' | 'h') { text(&entry.link) } else { String::new() };
        let name = text(&entry.path).trim_matches('/').to_owned();
        let sum: u64 = data.iter().map(|&byte| u64::from(byte)).sum();
        let (mode, uid, gid, seconds) = (entry.mode, entry.uid, entry.gid, entry.mtime.seconds);
        lines += &format!("{kind} {name} {mode} {uid} {gid} {seconds} {link} {} {sum}\n", data.len());
        names += &format!("{name}\n");
        content.extend(data);
    }
    (lines, names, String::from_utf8(content).unwrap())
}

/// Names as a listing has them, whatever stands behind a folder.
fn listed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end_matches('/'))).collect()
}

#[derive(Debug, Clone)]
struct Plan {
    kind: u8,
    name: String,
    link: String,
    data: String,
    mode: u32,
    ids: (u32, u32),
    mtime: u64,
    /// What is said by pax records instead: ids, time, long names in any case.
    records: bool,
    seconds: i32,
    prefix: Option<String>,
    old: bool,
}

fn plan() -> impl Strategy<Value = Plan> {
    let name = proptest::collection::vec("[a-z]{1,60}", 1..4).prop_map(|parts| parts.join("/"));
    let kind = prop_oneof![
        Just(b'0'),
        Just(b'0'),
        Just(b'0'),
        Just(b'5'),
        Just(b'2'),
        Just(b'3'),
        Just(b'4'),
        Just(b'6'),
        Just(b'7')
    ];
    let ids = (prop_oneof![0_u32..70_000, any::<u32>()], 0_u32..=0o7_777_777);
    (
        (kind, name, "[a-z/]{1,120}", "[a-z]{0,1500}", 0_u32..=0o7777, ids),
        (prop_oneof![0_u64..1 << 33, Just(1 << 40)], any::<bool>(), any::<i32>()),
        (proptest::option::weighted(0.3, "[a-z]{1,40}(/[a-z]{1,40}){0,2}"), any::<bool>()),
    )
        .prop_map(|((kind, name, link, data, mode, ids), (mtime, records, seconds), (prefix, old))| Plan {
            kind,
            name,
            link,
            data,
            mode,
            ids,
            mtime,
            records,
            seconds,
            prefix,
            old,
        })
}

fn archive(plans: &[Plan]) -> Vec<u8> {
    let mut archive = Archive::new();
    let mut file: Option<Vec<u8>> = None;
    for (number, plan) in plans.iter().enumerate() {
        // Names are told apart by their number.
        let name = format!("{number}{}", plan.name).into_bytes();
        let long = name.len() > 100;
        let is_file = matches!(plan.kind, b'0' | b'7');
        let data = if is_file { plan.data.as_bytes() } else { b"" };
        let mut kind = plan.kind;
        let mut link = if kind == b'2' { plan.link.clone().into_bytes() } else { Vec::new() };
        link.truncate(100);
        if kind == b'6'
            && let Some(target) = &file
        {
            kind = b'1';
            link = target.clone();
        }
        let mut records: Vec<(&[u8], Vec<u8>)> = Vec::new();
        if plan.records {
            records.push((b"mtime", format!("{}.25", plan.seconds.unsigned_abs()).into_bytes()));
            records.push((b"uid", plan.ids.0.to_string().into_bytes()));
            records.push((b"size", data.len().to_string().into_bytes()));
            records.truncate(if is_file { 3 } else { 2 });
        }
        if long && !plan.old {
            records.push((b"path", name.clone()));
        } else if long {
            archive = archive.raw(Raw::new(b'L', b"././@LongLink"), &[&name[..], b"\0"].concat());
        }
        if !records.is_empty() {
            let records: Vec<(&[u8], &[u8])> = records.iter().map(|(key, value)| (*key, &**value)).collect();
            archive = archive.pax(&records);
        }
        let mut raw = Raw::new(kind, &name[..name.len().min(100)]);
        raw.link = link;
        (raw.mode, raw.uid, raw.gid, raw.mtime) = (plan.mode, plan.ids.0, plan.ids.1, plan.mtime);
        let mut block = Archive::new().raw(raw, data).cut();
        match &plan.prefix {
            Some(prefix) if !long => block[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes()),
            _ if plan.old => block[257..265].copy_from_slice(b"ustar  \0"),
            _ => {}
        }
        sum(&mut block[..512]);
        if kind == b'0' && !long && plan.prefix.is_none() {
            file = Some(name);
        }
        archive = archive.bytes(&block);
    }
    archive.end()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn other_readers_see_the_same_entries(plans in proptest::collection::vec(plan(), 1..8)) {
        let archive = archive(&plans);
        let (lines, names, content) = ours(&archive);
        if let Some(theirs) = output("python3", &["-c", SCRIPT], &archive) {
            prop_assert_eq!(&theirs, &lines, "Python's tarfile");
        }
        for program in ["tar", "bsdtar"] {
            if let Some(theirs) = output(program, &["-tf", "-"], &archive) {
                prop_assert_eq!(listed(&theirs), &*names, "names of {}", program);
            }
            if let Some(theirs) = output(program, &["-xOf", "-"], &archive) {
                prop_assert_eq!(&theirs, &content, "content of {}", program);
            }
        }
    }
}
