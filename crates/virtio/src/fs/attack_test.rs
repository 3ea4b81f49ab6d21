//! What a hostile driver tries: to get out of the folder, to reach what it was not given. `bounds_test.rs` has what would use up
//! the host.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::io::Errno;
use tempfile::TempDir;
use zerocopy::IntoBytes;

use super::fake_guest::{Guest, header, read_in, text};
use super::protocol::*;
use super::{Fs, FsError, FsSpec};

/// A folder `share` with a secret beside it.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("share")).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    folder
}

pub fn writable(folder: &TempDir) -> FsSpec {
    FsSpec::new(folder.path().join("share"), "share")
}

fn readonly(folder: &TempDir) -> FsSpec {
    FsSpec { readonly: true, ..writable(folder) }
}

#[test]
fn a_link_is_read_and_never_followed() {
    let folder = folder();
    symlink("../secret", folder.path().join("share/link")).unwrap();
    symlink("..", folder.path().join("share/up")).unwrap();
    for spec in [writable(&folder), readonly(&folder)] {
        let mut guest = Guest::new(&spec);
        let link = guest.look_up(ROOT, "link").unwrap();
        assert_eq!(link.attr.mode & libc::S_IFMT, libc::S_IFLNK);
        assert_eq!(guest.call(opcode::READLINK, link.nodeid, &[], 4096).unwrap(), b"../secret");
        assert!(matches!(guest.content(link.nodeid), Err(Errno::LOOP)));
        let up = guest.look_up(ROOT, "up").unwrap().nodeid;
        assert_eq!(guest.look_up(up, "secret").unwrap_err(), Errno::NOTDIR);
        assert!(guest.list(up, opcode::READDIR, 4096).is_err());
    }
    let mut guest = Guest::new(&writable(&folder));
    let link = guest.walk("link").unwrap();
    assert_eq!(guest.set(link, fattr::SIZE, |asked| asked.size = 0).unwrap_err(), Errno::INVAL);
    assert_eq!(guest.set(link, fattr::MODE, |asked| asked.mode = 0o777).unwrap_err(), Errno::OPNOTSUPP);
    guest.set(link, fattr::MTIME, |asked| asked.mtime = 5).unwrap();
    // To make a file where a link is opens neither of both.
    assert_eq!(guest.create(ROOT, "link", libc::O_RDWR, 0o644).unwrap_err(), Errno::STALE);
    let secret = fs::metadata(folder.path().join("secret")).unwrap();
    assert_eq!(fs::read(folder.path().join("secret")).unwrap(), b"secret");
    assert_ne!(secret.modified().unwrap(), std::time::UNIX_EPOCH + std::time::Duration::from_secs(5));
}

#[test]
fn names_that_lead_elsewhere_are_refused_by_every_operation() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "").unwrap();
    fs::create_dir(folder.path().join("share/folder")).unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let file = guest.walk("file").unwrap();
    let inner = guest.walk("folder").unwrap();
    for bad in ["..", ".", "", "../secret", "/etc/passwd", "folder/../..", "a/b"] {
        let name = text(bad);
        for node in [ROOT, inner] {
            let two = [RenameIn { newdir: node }.as_bytes(), &text("file"), &name].concat();
            let reversed = [RenameIn { newdir: node }.as_bytes(), &name, &text("file")].concat();
            let requests: [(u32, Vec<u8>); 10] = [
                (opcode::LOOKUP, name.clone()),
                (opcode::UNLINK, name.clone()),
                (opcode::RMDIR, name.clone()),
                (opcode::SYMLINK, [&name[..], b"text\0"].concat()),
                (opcode::MKDIR, [&0o755_u64.to_ne_bytes()[..], &name].concat()),
                (opcode::MKNOD, [&[0; 16][..], &name].concat()),
                (opcode::CREATE, [&[0; 16][..], &name].concat()),
                (opcode::LINK, [&file.to_ne_bytes()[..], &name].concat()),
                (opcode::RENAME, two),
                (opcode::RENAME, reversed),
            ];
            for (opcode, body) in requests {
                assert_eq!(guest.call(opcode, node, &[&body], 4096), Err(Errno::INVAL), "{opcode} {bad:?}");
            }
        }
    }
    assert_eq!(fs::read(folder.path().join("secret")).unwrap(), b"secret");
}

#[test]
fn an_unknown_node_is_stale() {
    let folder = folder();
    let mut guest = Guest::new(&writable(&folder));
    for node in [0, 2, 77, u64::MAX] {
        assert_eq!(guest.attributes(node).unwrap_err(), Errno::STALE);
        assert_eq!(guest.look_up(node, "file").unwrap_err(), Errno::STALE);
        assert_eq!(guest.open(node, libc::O_RDONLY).unwrap_err(), Errno::STALE);
    }
}

#[test]
fn a_handle_is_of_use_with_its_own_node_and_for_what_it_is() {
    let folder = folder();
    fs::write(folder.path().join("share/one"), "one").unwrap();
    fs::write(folder.path().join("share/two"), "two").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let (one, two) = (guest.walk("one").unwrap(), guest.walk("two").unwrap());
    let fh = guest.open(one, libc::O_RDONLY).unwrap();
    assert_eq!(guest.read(one, fh, 0, 16).unwrap(), b"one");
    for (node, fh) in [(two, fh), (ROOT, fh), (one, 0), (one, fh + 1), (one, u64::MAX)] {
        assert_eq!(guest.read(node, fh, 0, 16), Err(Errno::BADF));
        assert_eq!(guest.release(opcode::RELEASE, node, fh), Err(Errno::BADF));
    }
    assert_eq!(guest.write(one, fh, 0, b"x"), Err(Errno::BADF), "opened to be read");
    let list = read_in(fh, 0, 4096);
    assert_eq!(guest.call(opcode::READDIR, ROOT, &[list.as_bytes()], 4096), Err(Errno::BADF), "a file's");
    let opened: OpenOut = guest.ask(opcode::OPENDIR, ROOT, &[&[0; 8]]).unwrap();
    assert_eq!(guest.read(ROOT, opened.fh, 0, 16), Err(Errno::BADF), "a folder's");
    assert_eq!(guest.release(opcode::RELEASE, one, fh), Ok(()));
    assert_eq!(guest.read(one, fh, 0, 16), Err(Errno::BADF), "released");
}

#[test]
fn devices_fifos_and_sockets_are_never_opened() {
    let folder = folder();
    let share = folder.path().join("share");
    rustix::fs::mknodat(rustix::fs::CWD, share.join("fifo"), rustix::fs::FileType::Fifo, 0o666.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(share.join("socket")).unwrap();
    for spec in [writable(&folder), readonly(&folder)] {
        let mut guest = Guest::new(&spec);
        for (name, kind) in [("fifo", libc::S_IFIFO), ("socket", libc::S_IFSOCK)] {
            let entry = guest.look_up(ROOT, name).unwrap();
            assert_eq!(entry.attr.mode & libc::S_IFMT, kind);
            assert_eq!(guest.content(entry.nodeid), Err(Errno::NXIO), "{name}");
        }
    }
    let mut guest = Guest::new(&writable(&folder));
    assert!(matches!(guest.create(ROOT, "fifo", libc::O_RDWR, 0o644), Err(Errno::STALE)));
    for kind in [libc::S_IFCHR, libc::S_IFBLK, libc::S_IFDIR, libc::S_IFLNK] {
        let asked = MknodIn { mode: kind | 0o666, rdev: 0x103, umask: 0, padding: 0 };
        let made = guest.call(opcode::MKNOD, ROOT, &[asked.as_bytes(), &text("made")], 128);
        assert_eq!(made, Err(Errno::PERM));
        assert!(!share.join("made").exists());
    }
    // A whiteout is a device node.
    fs::write(share.join("file"), "").unwrap();
    let asked = Rename2In { newdir: ROOT, flags: 1 << 2, padding: 0 };
    let renamed = guest.call(opcode::RENAME2, ROOT, &[asked.as_bytes(), &text("file"), &text("other")], 0);
    assert_eq!(renamed, Err(Errno::INVAL));
}

#[test]
fn a_readonly_folder_is_the_same_whatever_is_asked() {
    let folder = folder();
    let share = folder.path().join("share");
    fs::write(share.join("file"), "content").unwrap();
    fs::create_dir(share.join("folder")).unwrap();
    let mut guest = Guest::new(&readonly(&folder));
    let file = guest.walk("file").unwrap();
    let before = snapshot(&share);
    let body = [&[0xff_u8; 8][..], b"file\0other\0", &[0; 128]].concat();
    // Those that nothing is answered to change nothing by their nature.
    for opcode in (0..64).filter(|&opcode| opcode != opcode::FORGET && opcode != opcode::BATCH_FORGET) {
        for node in [ROOT, file] {
            for body in [&body[..], &[0; 128], &[&[0; 16][..], b"new\0text\0"].concat(), b"file\0", b"folder\0"] {
                let _ = guest.call(opcode, node, &[body], 8192);
            }
        }
    }
    for flags in [libc::O_WRONLY, libc::O_RDWR, libc::O_TRUNC, libc::O_RDWR | libc::O_APPEND] {
        assert_eq!(guest.open(file, flags).unwrap_err(), Errno::ROFS);
    }
    assert_eq!(guest.set(file, fattr::MODE, |asked| asked.mode = 0).unwrap_err(), Errno::ROFS);
    assert_eq!(guest.write(file, 0, 0, b"x"), Err(Errno::ROFS));
    assert_eq!(snapshot(&share), before);
}

/// Names, contents and times of a folder.
fn snapshot(folder: &Path) -> Vec<(String, Option<Vec<u8>>, std::time::SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).ok(), entry.metadata().unwrap().modified().unwrap())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn bits_that_lend_rights_are_not_set() {
    let folder = folder();
    let mut guest = Guest::new(&writable(&folder));
    let (made, _) = guest.create(ROOT, "file", libc::O_RDWR, 0o6755).unwrap();
    assert_eq!(made.attr.mode & 0o7777, 0o755);
    let attr = guest.set(made.nodeid, fattr::MODE, |asked| asked.mode = 0o7711).unwrap();
    assert_eq!(attr.mode & 0o7777, 0o1711);
}

#[test]
fn forgetting_more_than_was_told_forgets_once() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "content").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let file = guest.walk("file").unwrap();
    assert_eq!(guest.walk("file").unwrap(), file, "the same node again");
    guest.forget(file, 1);
    assert!(guest.attributes(file).is_ok(), "told twice, forgotten once");
    guest.forget(file, u64::MAX);
    assert_eq!(guest.attributes(file).unwrap_err(), Errno::STALE);
    guest.forget(file, u64::MAX);
    guest.forget(ROOT, u64::MAX);
    assert!(guest.attributes(ROOT).is_ok(), "the folder itself stays");
    assert_ne!(guest.walk("file").unwrap(), file, "a number is not used again");
}

#[test]
fn requests_that_are_no_requests_come_back() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "content").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    // No header, or no room for one: nothing is written.
    for length in 0..40 {
        assert_eq!(guest.raw(1, &vec![1; length.max(1)], 64).0, 0);
    }
    let lookup = [header(opcode::LOOKUP, ROOT, 5).as_bytes(), b"file\0"].concat();
    for room in 0..16 {
        assert_eq!(guest.raw(1, &lookup, room).0, 0);
    }
    // Room for the header alone.
    let (written, data) = guest.raw(1, &lookup, 16);
    assert_eq!((written, &data[4..8]), (16, &(-libc::EOVERFLOW).to_ne_bytes()[..]));
    // A length that is not the request's.
    for (len, error) in [(0, libc::EINVAL), (39, libc::EINVAL), (40, libc::EINVAL), (44, libc::EINVAL), (u32::MAX, 0)] {
        let head = InHeader { len, ..header(opcode::LOOKUP, ROOT, 5) };
        let (_, data) = guest.raw(1, &[head.as_bytes(), b"file\0"].concat(), 256);
        assert_eq!(data[4..8], (-error).to_ne_bytes(), "length {len}");
    }
}

#[test]
fn a_guest_that_begins_anew_has_nothing_left() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "content").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let file = guest.walk("file").unwrap();
    let fh = guest.open(file, libc::O_RDONLY).unwrap();
    guest.init(MINOR, !0).unwrap();
    assert_eq!(guest.attributes(file).unwrap_err(), Errno::STALE);
    assert_eq!(guest.read(file, fh, 0, 8), Err(Errno::BADF));
}

#[test]
fn a_version_that_is_not_spoken_is_refused() {
    let folder = folder();
    let mut guest = Guest::silent(&writable(&folder));
    assert_eq!(guest.init(26, !0).unwrap_err(), Errno::PROTO);
    assert_eq!(guest.init(27, 0).unwrap().flags, 0, "nothing is agreed on that was not offered");
    let newer = InitIn { major: 8, minor: 0, max_readahead: 0, flags: 0 };
    let answer: InitOut = guest.ask(opcode::INIT, 0, &[newer.as_bytes()]).unwrap();
    assert_eq!(answer.major, 7, "the driver begins again with that");
}

#[test]
fn pseudo_file_systems_are_not_shared_and_look_empty() {
    for path in ["/proc", "/sys", "/proc/self"] {
        let refused = Fs::open(&FsSpec::new(path, "x"), "fs0".into());
        assert!(matches!(refused, Err(FsError::Pseudo { .. })), "{path}");
    }
    let mut guest = Guest::new(&FsSpec { readonly: true, ..FsSpec::new("/", "root") });
    let proc = guest.look_up(ROOT, "proc").unwrap();
    assert_eq!(proc.attr.mode & libc::S_IFMT, libc::S_IFDIR);
    assert_eq!(guest.look_up(proc.nodeid, "self").unwrap_err(), Errno::NOENT);
    assert_eq!(guest.list(proc.nodeid, opcode::READDIRPLUS, 4096).unwrap().len(), 0);
}

/// While names change on the host, whatever the guest reaches is in the folder: a folder and a link out of it change
/// places as fast as they can.
#[test]
fn a_race_with_the_host_leads_nowhere() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = folder();
    let share = folder.path().join("share");
    let (at, link) = (share.join("place"), share.join("link"));
    fs::create_dir(&at).unwrap();
    fs::write(at.join("secret"), "no secret").unwrap();
    symlink("..", &link).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &at, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let mut guest = Guest::new(&readonly(&folder));
        let (mut found, mut links) = (0, 0);
        for _ in 0..100_000 {
            let Ok(place) = guest.look_up(ROOT, "place") else { continue };
            match guest.look_up(place.nodeid, "secret") {
                Ok(file) => {
                    assert_eq!(guest.content(file.nodeid).unwrap(), b"no secret");
                    found += 1;
                    guest.forget(file.nodeid, 1);
                }
                Err(error) => {
                    assert_eq!(error, Errno::NOTDIR);
                    links += 1;
                }
            }
            guest.forget(place.nodeid, 1);
            if found > 200 && links > 200 {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(found > 0 && links > 0, "no race: {found} {links}");
    });
}
