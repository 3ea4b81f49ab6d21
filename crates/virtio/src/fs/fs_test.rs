//! The device with an honest driver: what it reads, writes and lists is what is on the host.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::io::Errno;
use tempfile::TempDir;
use zerocopy::IntoBytes;

use super::fake_guest::{Guest, text};
use super::protocol::*;
use super::*;

fn share() -> (TempDir, FsSpec) {
    let folder = tempfile::tempdir().unwrap();
    let spec = FsSpec::new(folder.path(), "share");
    (folder, spec)
}

#[test]
fn the_configuration_says_the_tag_and_one_queue() {
    let (_folder, spec) = share();
    let fs = Fs::open(&spec, "fs0".into()).unwrap();
    let config = fs.config();
    assert_eq!((&config[..8], &config[36..]), (&b"share\0\0\0"[..], &[1, 0, 0, 0][..]));
    assert_eq!(fs.queue_sizes().len(), 2);
}

#[test]
fn what_a_guest_writes_is_in_the_file_and_what_it_reads_too() {
    let (folder, spec) = share();
    let mut guest = Guest::new(&spec);
    let (made, fh) = guest.create(ROOT, "file", libc::O_RDWR, 0o640).unwrap();
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    for (index, part) in content.chunks(1 << 20).enumerate() {
        assert_eq!(guest.write(made.nodeid, fh, (index << 20) as u64, part), Ok(part.len() as u32));
    }
    assert!(fs::read(folder.path().join("file")).unwrap() == content);
    assert_eq!(fs::metadata(folder.path().join("file")).unwrap().mode() & 0o7777, 0o640);
    assert!(guest.content(made.nodeid).unwrap() == content);
    assert_eq!(guest.read(made.nodeid, fh, content.len() as u64 - 2, 4096).unwrap().len(), 2, "up to its end");
    assert_eq!(guest.read(made.nodeid, fh, content.len() as u64, 4096).unwrap(), b"");
}

#[test]
fn new_files_have_the_mode_that_the_guest_asked_for_whatever_the_umask() {
    let (folder, spec) = share();
    let mut guest = Guest::new(&spec);
    let (file, _) = guest.create(ROOT, "file", libc::O_RDWR, 0o666).unwrap();
    let asked = MkdirIn { mode: 0o777, umask: 0 };
    let made: EntryOut = guest.ask(opcode::MKDIR, ROOT, &[asked.as_bytes(), &text("folder")]).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("file"), mode("folder")), (0o666, 0o777));
    assert_eq!((guest.attributes(file.nodeid).unwrap().mode & 0o7777, made.attr.mode & 0o7777), (0o666, 0o777));
}

#[test]
fn a_readonly_folder_is_read_without_opening_anything() {
    let (folder, spec) = share();
    fs::write(folder.path().join("file"), "content").unwrap();
    let mut guest = Guest::new(&FsSpec { readonly: true, ..spec });
    let file = guest.look_up(ROOT, "file").unwrap();
    assert_eq!(guest.open(file.nodeid, libc::O_RDONLY).unwrap_err(), Errno::NOSYS);
    assert_eq!(guest.read(file.nodeid, 0, 2, 3).unwrap(), b"nte");
    assert!(file.entry_valid > 3600 && file.attr_valid > 3600, "and believed for long");
    // So it is with all that are not there.
    let nothing: EntryOut = guest.ask(opcode::LOOKUP, ROOT, &[&text("nothing")]).unwrap();
    assert!(nothing.nodeid == 0 && nothing.entry_valid > 3600);
}

#[test]
fn every_entry_is_listed_once_however_little_room_there_is() {
    let (folder, spec) = share();
    let mut names: Vec<String> = (0..700).map(|n| format!("{n}{}", "x".repeat(n % 200))).collect();
    for name in &names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    names.extend([".".into(), "..".into()]);
    names.sort();
    for readonly in [false, true] {
        let mut guest = Guest::new(&FsSpec { readonly, ..spec.clone() });
        for (operation, room) in
            [(opcode::READDIR, 300), (opcode::READDIR, 4096), (opcode::READDIRPLUS, 512), (opcode::READDIRPLUS, 65536)]
        {
            let mut listed = guest.list(ROOT, operation, room).unwrap();
            listed.sort_by(|one, other| one.name.cmp(&other.name));
            assert_eq!(listed.iter().map(|entry| &entry.name).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
            for entry in &listed[2..] {
                let host = fs::metadata(folder.path().join(&entry.name)).unwrap();
                assert_eq!((entry.ino, entry.kind), (host.ino(), 8));
                assert_eq!(entry.entry.nodeid != 0, operation == opcode::READDIRPLUS);
            }
        }
    }
}

#[test]
fn attributes_are_the_hosts_and_its_user_is_whom_the_share_says() {
    let (folder, spec) = share();
    fs::write(folder.path().join("file"), "content").unwrap();
    let mut guest = Guest::new(&FsSpec { owner: "1234:567".parse().unwrap(), ..spec });
    let file = guest.walk("file").unwrap();
    let (attr, host) = (guest.attributes(file).unwrap(), fs::metadata(folder.path().join("file")).unwrap());
    assert_eq!((attr.uid, attr.gid, attr.size, attr.nlink), (1234, 567, 7, 1));
    assert_eq!((attr.ino, attr.mode, attr.mtime), (host.ino(), host.mode(), host.mtime() as u64));
    // It is theirs already.
    assert!(guest.set(file, fattr::UID | fattr::GID, |asked| (asked.uid, asked.gid) = (1234, 567)).is_ok());
    for (valid, uid, gid) in [(fattr::UID, 0, 567), (fattr::GID, 1234, 0), (fattr::UID | fattr::GID, 1234, 5)] {
        let changed = guest.set(file, valid, |asked| (asked.uid, asked.gid) = (uid, gid));
        assert_eq!(changed.unwrap_err(), Errno::PERM);
    }
    let attr = guest.set(file, fattr::SIZE | fattr::MODE, |asked| (asked.size, asked.mode) = (3, 0o600)).unwrap();
    assert_eq!((attr.size, attr.mode & 0o7777), (3, 0o600));
}

#[test]
fn an_unlinked_file_lives_as_long_as_it_is_known() {
    let (folder, spec) = share();
    for readonly in [false, true] {
        fs::write(folder.path().join("file"), "content").unwrap();
        let mut guest = Guest::new(&FsSpec { readonly, ..spec.clone() });
        let file = guest.walk("file").unwrap();
        fs::remove_file(folder.path().join("file")).unwrap();
        assert_eq!(guest.content(file).unwrap(), b"content");
    }
}

#[test]
fn extended_attributes_of_users_are_kept_and_others_are_not() {
    let (folder, spec) = share();
    fs::write(folder.path().join("file"), "content").unwrap();
    let mut guest = Guest::new(&FsSpec { xattr: true, ..spec });
    let file = guest.walk("file").unwrap();
    let mut set = |name: &str, value: &[u8]| {
        let asked = SetxattrIn { size: value.len() as u32, flags: 0 };
        guest.call(opcode::SETXATTR, file, &[asked.as_bytes(), &text(name), value], 0)
    };
    assert_eq!(set("user.colour", b"red"), Ok(vec![]));
    for name in ["security.capability", "trusted.overlay.opaque", "system.posix_acl_access", "colour"] {
        assert_eq!(set(name, b"red"), Err(Errno::PERM), "{name}");
    }
    let get = |guest: &mut Guest, name: &str, size: u32| {
        let asked = GetxattrIn { size, padding: 0 };
        guest.call(opcode::GETXATTR, file, &[asked.as_bytes(), &text(name)], 64)
    };
    assert_eq!(get(&mut guest, "user.colour", 64).unwrap(), b"red");
    assert_eq!(get(&mut guest, "user.colour", 0).unwrap(), GetxattrOut { size: 3, padding: 0 }.as_bytes());
    assert_eq!(get(&mut guest, "user.colour", 2), Err(Errno::RANGE));
    assert_eq!(get(&mut guest, "user.none", 64), Err(Errno::NODATA));
    assert_eq!(get(&mut guest, "security.capability", 64), Err(Errno::NODATA));
    let asked = GetxattrIn { size: 64, padding: 0 };
    assert_eq!(guest.call(opcode::LISTXATTR, file, &[asked.as_bytes()], 64).unwrap(), b"user.colour\0");
    assert!(guest.call(opcode::REMOVEXATTR, file, &[&text("user.colour")], 0).is_ok());
    assert_eq!(get(&mut guest, "user.colour", 64), Err(Errno::NODATA));
}

#[test]
fn linux_is_told_once_that_there_are_no_extended_attributes() {
    let (_folder, spec) = share();
    let mut guest = Guest::new(&spec);
    let asked = GetxattrIn { size: 64, padding: 0 };
    let answer = guest.call(opcode::GETXATTR, ROOT, &[asked.as_bytes(), &text("security.capability")], 64);
    assert_eq!(answer, Err(Errno::NOSYS));
}

#[test]
fn requests_that_wait_together_cost_one_interrupt() {
    use crate::testkit::Part;
    let (_folder, spec) = share();
    let mut guest = Guest::new(&spec);
    guest.bench.drivers[1].take_interrupts();
    let asked = [super::fake_guest::header(opcode::GETATTR, ROOT, 16).as_bytes(), &[0; 16]].concat();
    for _ in 0..20 {
        guest.bench.drivers[1].add(&[Part::Readable(&asked), Part::Writable(120)]).unwrap();
    }
    guest.bench.workers[0].ready(1).unwrap();
    assert_eq!(guest.bench.drivers[1].take_interrupts(), 1);
}
