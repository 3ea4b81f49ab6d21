#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::super::testkit::{Archive, Raw};
use super::*;

/// All entries with their data as it is stored.
fn read(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
    let mut reader = Reader::new(archive);
    let mut all = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut data = Vec::new();
        reader.data().read_to_end(&mut data).map_err(TarError::Read)?;
        all.push((entry, data));
    }
    Ok(all)
}

fn one(archive: &[u8]) -> Entry {
    let mut all = read(archive).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0).0
}

fn wrong(archive: &[u8]) -> String {
    read(archive).unwrap_err().to_string()
}

#[test]
fn every_kind_of_entry_is_read() {
    let device = Raw { major: 1, minor: 3, ..Raw::new(b'3', b"null") };
    let archive = Archive::new()
        .directory("usr/")
        .file("usr/file", b"hello")
        .symlink("sym", "usr/file")
        .link("hard", "usr/file")
        .raw(device, b"")
        .raw(Raw { major: 8, minor: 1, ..Raw::new(b'4', b"sda1") }, b"")
        .raw(Raw::new(b'6', b"pipe"), b"")
        .end();
    let all = read(&archive).unwrap();
    let kinds: Vec<Type> = all.iter().map(|(entry, _)| entry.kind).collect();
    use Type::*;
    assert_eq!(kinds, [Directory, File, Symlink, HardLink, CharDevice, BlockDevice, Fifo]);
    assert_eq!((&*all[1].1, all[1].0.size, all[1].0.offset), (&b"hello"[..], 5, 1024));
    assert_eq!(all[2].0.link, b"usr/file");
    assert_eq!(all[4].0.device, Device { major: 1, minor: 3 });
}

#[test]
fn pax_records_say_what_headers_cannot() {
    let long = "ä".repeat(200);
    let records: [(&[u8], &[u8]); 5] = [
        (b"path", long.as_bytes()),
        (b"uid", b"4000000000"),
        (b"mtime", b"-1.25"),
        (b"SCHILY.xattr.security.capability", b"\x01\0=\n\xff"),
        (b"comment", b"nothing"),
    ];
    let entry = one(&Archive::new().pax(&records).file("short", b"").end());
    assert_eq!(entry.path, long.as_bytes());
    assert_eq!(entry.uid, 4_000_000_000);
    assert_eq!(entry.mtime, Timestamp { seconds: -2, nanoseconds: 750_000_000 });
    assert_eq!(entry.xattrs[&b"security.capability"[..]], b"\x01\0=\n\xff");
}

#[test]
fn records_hold_for_one_entry_and_global_ones_for_all() {
    let global = |archive: Archive| archive.raw(Raw::new(b'g', b"x"), b"12 uid=1000\n");
    let all = read(&global(Archive::new()).pax(&[(b"uid", b"7")]).file("a", b"").file("b", b"").end());
    let uids: Vec<u32> = all.unwrap().iter().map(|(entry, _)| entry.uid).collect();
    // The length of this record is written by hand.
    assert_eq!(uids, [7, 1000]);
}

#[test]
fn gnus_long_names_are_read() {
    let name = "n".repeat(300);
    let archive = Archive::new()
        .raw(Raw::new(b'L', b"././@LongLink"), format!("{name}\0").as_bytes())
        .raw(Raw::new(b'K', b"././@LongLink"), b"target\0")
        .symlink("short", "short");
    let entry = one(&archive.end());
    assert_eq!((entry.path, entry.link), (name.into_bytes(), b"target".to_vec()));
}

/// A header of GNU's magic with something in the place of the prefix.
fn gnu(prefix: &[u8]) -> Vec<u8> {
    let mut block = Archive::new().file("name", b"").cut();
    block[257..265].copy_from_slice(b"ustar  \0");
    block[345..345 + prefix.len()].copy_from_slice(prefix);
    super::super::testkit::sum(&mut block);
    Archive::new().bytes(&block).end()
}

#[test]
fn a_prefix_counts_under_gnus_magic_unless_it_is_times() {
    assert_eq!(one(&gnu(b"some/folder")).path, b"some/folder/name");
    assert_eq!(one(&gnu(&[b'd'; 155])).path, [&[b'd'; 155][..], b"/name"].concat());
    for times in
        [&b""[..], b"14700000000\x0014700000000\0", b"14700000000 ", b"\x80\0\0\0\0\0\0\0\0\0\x01\x02", b"\xff\xfen"]
    {
        assert_eq!(one(&gnu(times)).path, b"name", "{}", times.escape_ascii());
    }
}

#[test]
fn stars_prefix_ends_before_its_times() {
    let mut block = Archive::new().file("name", b"").cut();
    block[345..345 + 131].fill(b'd');
    block[345 + 131..345 + 155].copy_from_slice(b"14700000000\x0014700000000\0");
    block[508..512].copy_from_slice(b"tar\0");
    super::super::testkit::sum(&mut block);
    assert_eq!(one(&Archive::new().bytes(&block).end()).path, [&[b'd'; 131][..], b"/name"].concat());
}

#[test]
fn what_has_data_is_a_file_whatever_its_name() {
    let all = read(&Archive::new().file("file/", b"data").file("folder/", b"").file("next", b"n").end()).unwrap();
    let kinds: Vec<(Type, &[u8])> = all.iter().map(|(entry, data)| (entry.kind, &**data)).collect();
    assert_eq!(kinds, [(Type::File, &b"data"[..]), (Type::Directory, b""), (Type::File, b"n")]);
}

#[test]
fn a_size_of_what_has_no_data_is_ignored() {
    let sized = |archive: Archive| archive.pax(&[(b"size", b"4096")]).directory("d/");
    assert_eq!(read(&sized(Archive::new()).file("next", b"n").end()).unwrap().len(), 2);
    let raw = Raw { size: 512, ..Raw::new(b'5', b"d/") };
    assert_eq!(read(&Archive::new().raw(raw, b"").file("next", b"n").end()).unwrap().len(), 2);
}

#[test]
fn large_numbers_are_read_in_base_256() {
    let entry = one(&Archive::new().raw(Raw { uid: u32::MAX, mtime: 1 << 40, ..Raw::new(b'0', b"x") }, b"").end());
    assert_eq!((entry.uid, entry.mtime.seconds), (u32::MAX, 1 << 40));
}

#[test]
fn sparse_files_of_all_versions_are_read() {
    let segments = [Segment { offset: 10, len: 3 }, Segment { offset: 1000, len: 2 }];
    let old = {
        let mut block = Archive::new().raw(Raw { size: 5, ..Raw::new(b'S', b"old") }, b"").cut();
        block[257..265].copy_from_slice(b"ustar  \0");
        for (index, (offset, len)) in [(10, 3), (1000, 2)].into_iter().enumerate() {
            block[386 + 24 * index..][..24].copy_from_slice(format!("{offset:011o}\0{len:011o}\0").as_bytes());
        }
        block[483..495].copy_from_slice(format!("{:011o}\0", 2000).as_bytes());
        super::super::testkit::sum(&mut block);
        Archive::new().bytes(&block).bytes(b"abcde").bytes(&[0; 507]).end()
    };
    let zero = Archive::new()
        .pax(&[
            (b"GNU.sparse.size", b"2000"),
            (b"GNU.sparse.offset", b"10"),
            (b"GNU.sparse.numbytes", b"3"),
            (b"GNU.sparse.offset", b"1000"),
            (b"GNU.sparse.numbytes", b"2"),
        ])
        .file("zero", b"abcde")
        .end();
    let one_ = Archive::new()
        .pax(&[(b"GNU.sparse.size", b"2000"), (b"GNU.sparse.map", b"10,3,1000,2"), (b"GNU.sparse.name", b"real")])
        .file("one", b"abcde")
        .end();
    let mut data = b"2\n10\n3\n1000\n2\n".to_vec();
    data.resize(512, 0);
    data.extend(b"abcde");
    let version_1 = Archive::new()
        .pax(&[(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"2000")])
        .file("new", &data)
        .end();
    for archive in [old, zero, one_, version_1] {
        let (entry, data) = read(&archive).unwrap().remove(0);
        assert_eq!((entry.size, &entry.segments[..], &data[..]), (2000, &segments[..], &b"abcde"[..]), "{entry:?}");
    }
}

#[test]
fn maps_of_sparse_files_that_lie_are_refused() {
    for map in ["10,3,5,2", "1,4", "1999,5", "18446744073709551615,5", "1,2,3", "x", "", "1,,2"] {
        let archive = Archive::new().pax(&[(b"GNU.sparse.size", b"2000"), (b"GNU.sparse.map", map.as_bytes())]);
        let result = read(&archive.file("x", b"abcde").end());
        assert!(result.is_err(), "{map}: {result:?}");
    }
    let data = [b'9'; 512];
    let archive = Archive::new().pax(&[(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9")]);
    assert!(read(&archive.file("x", &data).end()).is_err());
}

#[test]
fn what_is_no_archive_is_told_so() {
    assert_eq!(wrong(&[b'x'; 512]), "a numeric field of a header is invalid");
    let mut archive = Archive::new().file("x", b"").end();
    archive[0] = b'y';
    assert_eq!(wrong(&archive), "a header's checksum is wrong");
    assert_eq!(wrong(&Archive::new().file("x", b"data").cut()[..700]), "it ends in the middle of an entry");
    assert_eq!(wrong(&Archive::new().file("x", b"").cut()[..100]), "it ends in the middle of an entry");
    assert_eq!(
        wrong(&Archive::new().raw(Raw::new(b'M', b"x"), b"").end()),
        "its type is 'M', which layers do not have"
    );
    let bomb = Raw { size: 1 << 40, ..Raw::new(b'x', b"x") };
    assert!(wrong(&Archive::new().raw(bomb, b"").end()).contains("1 MiB is allowed"));
    let bomb = Raw { size: u64::MAX >> 1, ..Raw::new(b'0', b"x") };
    assert_eq!(wrong(&Archive::new().raw(bomb, b"").end()), "it ends in the middle of an entry");
    for records in ["5 a=b\n", "99 a=b\n", "x a=b\n", "0 a=b\n", "6 a=bb", "6 abcd\n", " a=b\n"] {
        assert_eq!(
            wrong(&Archive::new().raw(Raw::new(b'x', b"x"), records.as_bytes()).end()),
            "a pax record is malformed",
            "{records}"
        );
    }
}

#[test]
fn an_archive_may_end_without_its_end() {
    assert_eq!(read(&Archive::new().file("x", b"data").cut()).unwrap().len(), 1);
    assert_eq!(read(b"").unwrap().len(), 0);
}

#[test]
fn what_the_tar_program_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let long = "d".repeat(120);
    std::fs::create_dir_all(path.join(&long)).unwrap();
    std::fs::write(path.join(&long).join("file"), b"content").unwrap();
    std::os::unix::fs::symlink("l".repeat(150), path.join("link")).unwrap();
    let sparse = std::fs::File::create(path.join("sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (1 << 30) - 3).unwrap();
    for format in ["gnu", "pax", "oldgnu"] {
        let tar = std::process::Command::new("tar")
            .args(["--sparse", &format!("--format={format}"), "-cf", "-", "-C"])
            .arg(path)
            .arg(".")
            .output()
            .unwrap();
        let all = read(&tar.stdout).unwrap();
        let find = |name: &str| all.iter().find(|(entry, _)| entry.path.ends_with(name.as_bytes())).unwrap();
        assert_eq!(find("/file").1, b"content", "{format}");
        assert_eq!(find("/link").0.link, "l".repeat(150).as_bytes(), "{format}");
        let (sparse, data) = find("sparse");
        assert_eq!(sparse.size, 1 << 30, "{format}");
        assert!(data.ends_with(b"end") && data.len() < 1 << 20, "{format}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_with_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0_usize..512, value in any::<u8>()) {
        let _ = read(&bytes);
        // One wrong byte in an archive that is right otherwise, and a checksum that fits.
        let mut archive = Archive::new().file("name", &bytes).symlink("a", "b").end();
        archive[at] = value;
        super::super::testkit::sum(&mut archive[..512]);
        let _ = read(&archive);
    }
}
