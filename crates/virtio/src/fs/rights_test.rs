//! Bits and attributes by which a file of the host runs with another's rights, and files that lead elsewhere: what a
//! guest may leave on the host. Run by root these tests are strict: the kernel does nothing of it by itself then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use zerocopy::IntoBytes;

use super::attack_tests::{folder, writable};
use super::descriptors::Pool;
use super::fake_guest::{Guest, text};
use super::passthrough::Share;
use super::protocol::*;
use super::spec::FsSpec;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Does something to the file `program` (node, handle) of a folder, and gives its mode, which was 6755.
fn mode_after(act: impl FnOnce(&mut Guest, u64, u64)) -> u32 {
    let folder = folder();
    let program = folder.path().join("share/program");
    fs::write(&program, "content").unwrap();
    fs::write(folder.path().join("share/other"), "other").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let node = guest.walk("program").unwrap();
    let fh = guest.open(node, libc::O_RDWR).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).unwrap();
    act(&mut guest, node, fh);
    mode(&program)
}

#[test]
fn every_way_to_write_removes_set_user_id() {
    let write = mode_after(|guest, node, fh| assert_eq!(guest.write(node, fh, 0, b"x"), Ok(1)));
    let size = mode_after(|guest, node, _| assert!(guest.set(node, fattr::SIZE, |asked| asked.size = 2).is_ok()));
    let open_size = mode_after(|guest, node, fh| {
        guest.set(node, fattr::SIZE | fattr::FH, |asked| (asked.size, asked.fh) = (2, fh)).unwrap();
    });
    let truncate = mode_after(|guest, node, _| assert!(guest.open(node, libc::O_WRONLY | libc::O_TRUNC).is_ok()));
    let create = mode_after(|guest, _, _| {
        guest.create(ROOT, "program", libc::O_WRONLY | libc::O_TRUNC, 0o755).unwrap();
    });
    let allocate = mode_after(|guest, node, fh| {
        let asked = FallocateIn { fh, offset: 0, length: 4096, mode: 0, padding: 0 };
        guest.call(opcode::FALLOCATE, node, &[asked.as_bytes()], 0).unwrap();
    });
    let copy = mode_after(|guest, node, fh| {
        let other = guest.walk("other").unwrap();
        let from = guest.open(other, libc::O_RDONLY).unwrap();
        let asked =
            CopyFileRangeIn { fh_in: from, off_in: 0, nodeid_out: node, fh_out: fh, off_out: 0, len: 5, flags: 0 };
        guest.ask::<WriteOut>(opcode::COPY_FILE_RANGE, other, &[asked.as_bytes()]).unwrap();
    });
    let owner = mode_after(|guest, node, _| assert!(guest.set(node, fattr::UID, |asked| asked.uid = 0).is_ok()));
    assert_eq!([write, size, open_size, truncate, create, allocate, copy, owner], [0o755; 8]);
}

#[test]
fn reading_leaves_set_user_id_where_it_is() {
    let read = mode_after(|guest, node, fh| assert!(guest.read(node, fh, 0, 16).is_ok()));
    assert_eq!(read, 0o6755);
}

#[test]
fn capabilities_of_a_file_end_with_a_write() {
    let folder = folder();
    let program = folder.path().join("share/program");
    fs::write(&program, "content").unwrap();
    // CAP_SETUID, permitted and effective: `struct vfs_cap_data`, revision 2.
    let mut value = [0_u8; 20];
    value[..8].copy_from_slice(&[1, 0, 0, 2, 0x80, 0, 0, 0]);
    let name = c"security.capability";
    if rustix::fs::setxattr(&program, name, &value, XattrFlags::empty()).is_err() {
        return; // Only root can set it, and not on every file system.
    }
    let mut guest = Guest::new(&writable(&folder));
    let node = guest.walk("program").unwrap();
    let fh = guest.open(node, libc::O_RDWR).unwrap();
    guest.write(node, fh, 0, b"x").unwrap();
    assert_eq!(rustix::fs::getxattr(&program, name, &mut [0; 32][..]), Err(Errno::NODATA));
}

#[test]
fn statx_has_the_birth_time_of_the_host() {
    let folder = folder();
    let path = folder.path().join("share/file");
    fs::write(&path, "content").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let node = guest.walk("file").unwrap();
    let told: StatxOut = guest.ask(opcode::STATX, node, &[&[0; size_of::<StatxIn>()]]).unwrap();
    let attributes = guest.attributes(node).unwrap();
    let Sx { size, mode, ino, btime, mtime, .. } = told.stat;
    assert_eq!((size, u32::from(mode), ino), (7, attributes.mode, attributes.ino));
    assert_eq!((mtime.tv_sec as u64, mtime.tv_nsec), (attributes.mtime, attributes.mtimensec));
    if let Ok(born) = fs::metadata(&path).unwrap().created() {
        let born = born.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!((btime.tv_sec as u64, btime.tv_nsec), (born.as_secs(), born.subsec_nanos()));
    }
}

/// Linux then fails O_TMPFILE with EOPNOTSUPP, as on NFS, and programs make a file with a name.
#[test]
fn tmpfile_is_not_served() {
    const TMPFILE: u32 = 51;
    let folder = folder();
    let mut guest = Guest::new(&writable(&folder));
    let asked = CreateIn { flags: libc::O_RDWR as u32, mode: 0o600, umask: 0, open_flags: 0 };
    assert_eq!(guest.call(TMPFILE, ROOT, &[asked.as_bytes(), &text("")], 144), Err(Errno::NOSYS));
}

#[test]
fn an_owner_has_its_rights_for_the_time_of_a_call() {
    let folder = folder();
    let spec = writable(&folder);
    let share = Share::open(&spec, Pool::new(64)).unwrap();
    let readonly = Share::open(&FsSpec { readonly: true, ..spec }, Pool::new(64)).unwrap();
    let (file, inner) = (folder.path().join("share/file"), folder.path().join("share/inner"));
    fs::write(&file, "content").unwrap();
    fs::create_dir(&inner).unwrap();
    for (path, before, during) in
        [(&file, 0, 0o600), (&file, 0o444, 0o644), (&inner, 0o1555, 0o1755), (&inner, 0, 0o700)]
    {
        fs::set_permissions(path, fs::Permissions::from_mode(before)).unwrap();
        let place = fs::File::open(path).unwrap();
        // Refused as a plain user is.
        let mut act = || if mode(path) == before { Err(Errno::ACCESS) } else { Ok(mode(path)) };
        assert_eq!(share.as_owner(&place, &mut act), Ok(during));
        assert_eq!(mode(path), before, "afterwards it is as it was");
        assert_eq!(readonly.as_owner(&place, act), Err(Errno::ACCESS), "a read-only share is not changed");
    }
    if std::os::unix::fs::chown(&file, Some(7), None).is_ok() {
        let act = || if mode(&file) == 0o444 { Err(Errno::ACCESS) } else { Ok(()) };
        assert_eq!(share.as_owner(&fs::File::open(&file).unwrap(), act), Err(Errno::ACCESS), "another user's file");
    }
}

#[test]
fn a_guest_makes_fifos_and_sockets() {
    let folder = folder();
    let mut guest = Guest::new(&writable(&folder));
    for (name, kind) in [("fifo", libc::S_IFIFO), ("socket", libc::S_IFSOCK)] {
        let asked = MknodIn { mode: kind | 0o4666, rdev: 0, umask: 0, padding: 0 };
        let made: EntryOut = guest.ask(opcode::MKNOD, ROOT, &[asked.as_bytes(), &text(name)]).unwrap();
        assert_eq!(made.attr.mode, kind | 0o666, "{name}");
        assert_eq!(guest.open(made.nodeid, libc::O_RDONLY), Err(Errno::NXIO), "{name}: the guest opens it itself");
        let host = fs::symlink_metadata(folder.path().join("share").join(name)).unwrap();
        assert_eq!(host.permissions().mode(), kind | 0o666);
    }
}

#[test]
#[allow(unsafe_code)]
fn a_pseudo_file_mounted_alone_is_not_opened() {
    use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    let folder = folder();
    let file = folder.path().join("share/file");
    fs::write(&file, "content").unwrap();
    std::thread::spawn(move || {
        // SAFETY: this thread has file system attributes of its own afterwards, and shares its descriptors as before.
        let alone = unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
            .and_then(|()| mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC))
            .and_then(|()| mount_bind("/proc/self/oom_score_adj", &file));
        if alone.is_err() {
            return; // Only root can mount.
        }
        let mut guest = Guest::new(&writable(&folder));
        let node = guest.walk("file").unwrap();
        for flags in [libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR | libc::O_TRUNC] {
            assert_eq!(guest.open(node, flags), Err(Errno::ACCESS));
        }
        assert_eq!(guest.create(ROOT, "file", libc::O_RDWR, 0o644).unwrap_err(), Errno::ACCESS);
        assert_eq!(guest.set(node, fattr::SIZE, |asked| asked.size = 0).unwrap_err(), Errno::ROFS);
    })
    .join()
    .unwrap();
}
