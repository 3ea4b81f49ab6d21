//! What a driver may use up of the host: descriptors, memory, sizes of files. And what it gets beyond that.

use std::fs;
use std::os::unix::fs::symlink;

use illico_memory::GuestAddress;
use rustix::io::Errno;
use zerocopy::{FromBytes, IntoBytes};

use super::attack_tests::{folder, writable};
use super::fake_guest::{Guest, header, read_in, text};
use super::protocol::*;
use crate::ring::split::Descriptor;
use crate::testkit::Part;

const MAX_SIZE: u32 = super::server::MAX_WRITE;

#[test]
fn a_list_of_millions_to_forget_is_harmless() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "content").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let file = guest.walk("file").unwrap();
    let list = vec![ForgetOne { nodeid: file, nlookup: u64::MAX }; 8000];
    let body = [BatchForgetIn { count: u32::MAX, dummy: 0 }.as_bytes(), list.as_bytes()].concat();
    guest.raw(0, &[header(opcode::BATCH_FORGET, 0, body.len()).as_bytes(), &body].concat(), 0);
    assert_eq!(guest.attributes(file).unwrap_err(), Errno::STALE);
    assert!(guest.attributes(ROOT).is_ok());
}

/// § 5.11.6.2: a request of the high-priority queue that arrives while others are served goes before those that still wait. Here it
/// arrives at an exact moment: a READ puts the available index of that queue in place.
#[test]
fn the_high_priority_queue_is_not_held_up() {
    let folder = folder();
    let share = folder.path().join("share");
    fs::write(share.join("known"), "").unwrap();
    fs::write(share.join("index"), "??").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let (known, index) = (guest.walk("known").unwrap(), guest.walk("index").unwrap());
    let fh = guest.open(index, libc::O_RDONLY).unwrap();
    let [high, normal] = &mut guest.bench.drivers[..] else { unreachable!() };
    let before = high.available_index();
    fs::write(share.join("index"), before.wrapping_add(1).to_le_bytes()).unwrap();
    let forget = [header(opcode::FORGET, known, 8).as_bytes(), &1_u64.to_ne_bytes()].concat();
    high.add(&[Part::Readable(&forget)]).unwrap();
    high.set_available_index(before);
    let read = [header(opcode::READ, index, size_of::<ReadIn>()).as_bytes(), read_in(fh, 0, 2).as_bytes()].concat();
    let head = normal.add(&[Part::Readable(&read), Part::Writable(OUT_HEADER), Part::Writable(2)]).unwrap();
    // The data of the READ goes to the index in the available ring of the first queue.
    let (table, available_index) = (normal.setup().table.0, high.setup().available.0 + 2);
    let descriptor = |number: u16| GuestAddress(table + 16 * u64::from(number));
    let ram = guest.bench.ram.clone();
    let next = |number: u16| ram.window(descriptor(number), 16).unwrap().read::<Descriptor>(0).next;
    ram.write(descriptor(next(next(head))), &available_index.to_le_bytes()).unwrap();
    let getattr = [header(opcode::GETATTR, known, 16).as_bytes(), &[0; 16]].concat();
    normal.add(&[Part::Readable(&getattr), Part::Writable(OUT_HEADER + size_of::<AttrOut>())]).unwrap();
    guest.bench.workers[0].ready(1).unwrap();
    assert!(high.take_used().is_some(), "the FORGET was served");
    let answer = [normal.take_used(), normal.take_used()][1].clone().unwrap().data;
    let error = OutHeader::read_from_prefix(&answer).unwrap().0.error;
    assert_eq!(error, -Errno::STALE.raw_os_error(), "the node was forgotten before its attributes were asked for");
}

#[test]
fn a_guest_knows_more_files_than_it_has_descriptors() {
    let folder = folder();
    let inner = folder.path().join("share/folder");
    fs::create_dir(&inner).unwrap();
    (0..100).for_each(|number| fs::write(inner.join(number.to_string()), number.to_string()).unwrap());
    let mut guest = Guest::with_descriptors(&writable(&folder), 20);
    let at = guest.walk("folder").unwrap();
    let nodes: Vec<_> = (0..100).map(|number| guest.look_up(at, &number.to_string()).unwrap().nodeid).collect();
    // The places of most were given up; each is found again.
    for (number, &node) in nodes.iter().enumerate() {
        assert_eq!(guest.content(node).unwrap(), number.to_string().as_bytes());
    }
    let listed = guest.list(at, opcode::READDIRPLUS, 4096).unwrap();
    assert_eq!(listed.iter().filter(|entry| entry.entry.nodeid != 0).count(), 100);
    // Also where the guest has moved it, and the folder that it is in.
    let rename = |guest: &mut Guest, from: u64, name: &str, to: u64, to_name: &str| {
        let asked = RenameIn { newdir: to };
        guest.call(opcode::RENAME, from, &[asked.as_bytes(), &text(name), &text(to_name)], 0).unwrap();
    };
    rename(&mut guest, at, "7", at, "seven");
    rename(&mut guest, ROOT, "folder", ROOT, "moved");
    let _: Vec<_> = nodes.iter().map(|&node| guest.attributes(node)).collect();
    assert_eq!(guest.content(nodes[7]).unwrap(), b"7");
    // What has that name on the host by then is not what the guest was told of.
    let moved = folder.path().join("share/moved");
    fs::rename(moved.join("8"), moved.join("eight")).unwrap();
    symlink("/etc/passwd", moved.join("8")).unwrap();
    fs::remove_file(moved.join("9")).unwrap();
    fs::write(moved.join("9"), "another").unwrap();
    let _: Vec<_> = nodes[20..].iter().map(|&node| guest.attributes(node)).collect();
    for node in [nodes[8], nodes[9]] {
        assert_eq!(guest.attributes(node).unwrap_err(), Errno::STALE);
    }
    assert_eq!(guest.content(nodes[10]).unwrap(), b"10");
}

#[test]
fn when_descriptors_run_out_the_guest_is_told_and_goes_on() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "content").unwrap();
    fs::write(folder.path().join("share/other"), "other").unwrap();
    let mut guest = Guest::with_descriptors(&writable(&folder), 20);
    let file = guest.walk("file").unwrap();
    let mut handles = Vec::new();
    let out = loop {
        match guest.open(file, libc::O_RDONLY) {
            Ok(fh) => handles.push(fh),
            Err(error) => break error,
        }
    };
    assert_eq!((out, handles.len()), (Errno::MFILE, 18), "beside the folder and the file");
    assert_eq!(guest.create(ROOT, "new", libc::O_RDWR, 0o644).unwrap_err(), Errno::MFILE);
    assert_eq!(guest.read(file, handles[0], 0, 16).unwrap(), b"content");
    for fh in handles {
        guest.release(opcode::RELEASE, file, fh).unwrap();
    }
    let other = guest.walk("other").unwrap();
    assert_eq!(guest.content(other).unwrap(), b"other");
}

#[test]
fn sizes_beyond_all_bounds_are_cut_or_refused() {
    let folder = folder();
    fs::write(folder.path().join("share/file"), "content").unwrap();
    let mut guest = Guest::new(&writable(&folder));
    let file = guest.walk("file").unwrap();
    let fh = guest.open(file, libc::O_RDWR).unwrap();
    let asked = read_in(fh, 0, u32::MAX);
    assert_eq!(guest.call(opcode::READ, file, &[asked.as_bytes()], 64).unwrap(), b"content");
    assert_eq!(guest.call(opcode::READ, file, &[read_in(fh, u64::MAX, 4096).as_bytes()], 64), Err(Errno::INVAL));
    // More than there is, and more than there may be.
    for size in [2, MAX_SIZE, u32::MAX] {
        let asked = WriteIn { fh, offset: 0, size, write_flags: 0, lock_owner: 0, flags: 0, padding: 0 };
        assert_eq!(guest.call(opcode::WRITE, file, &[asked.as_bytes(), b"x"], 8), Err(Errno::INVAL));
    }
    assert_eq!(guest.write(file, fh, u64::MAX, b"x"), Err(Errno::INVAL));
    let fallocate = FallocateIn { fh, offset: u64::MAX, length: u64::MAX, mode: 0, padding: 0 };
    assert!(guest.call(opcode::FALLOCATE, file, &[fallocate.as_bytes()], 0).is_err());
    let list = read_in(0, u64::MAX, u32::MAX);
    let opened: OpenOut = guest.ask(opcode::OPENDIR, ROOT, &[&[0; 8]]).unwrap();
    let list = ReadIn { fh: opened.fh, ..list };
    let _ = guest.call(opcode::READDIR, ROOT, &[list.as_bytes()], 4096);
    assert_eq!(fs::read(folder.path().join("share/file")).unwrap(), b"content");
}

/// A process that makes a file longer than `ulimit -f` allows is killed by the kernel, unless it checks first.
#[test]
fn a_file_beyond_the_limit_of_the_process_is_an_error_and_not_its_end() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(8 << 20), maximum: before.maximum }).unwrap();
    let folder = folder();
    let mut guest = Guest::new(&writable(&folder));
    setrlimit(Resource::Fsize, before).unwrap();
    let (file, fh) = guest.create(ROOT, "file", libc::O_RDWR, 0o644).unwrap();
    let (file, most) = (file.nodeid, 8 << 20);
    assert_eq!(guest.write(file, fh, most - 1, b"x"), Ok(1));
    assert_eq!(guest.write(file, fh, most, b"x"), Err(Errno::FBIG));
    assert_eq!(guest.set(file, fattr::SIZE, |asked| asked.size = most + 1).unwrap_err(), Errno::FBIG);
    let longer = FallocateIn { fh, offset: 0, length: most + 1, mode: 0, padding: 0 };
    assert_eq!(guest.call(opcode::FALLOCATE, file, &[longer.as_bytes()], 0), Err(Errno::FBIG));
}

#[test]
fn more_folders_than_are_read_in_advance_are_listed_whole_in_turns() {
    let folder = folder();
    for number in 0..100 {
        let inner = folder.path().join(format!("share/{number}"));
        fs::create_dir(&inner).unwrap();
        (0..20).for_each(|file| fs::write(inner.join(format!("file{file}")), "").unwrap());
    }
    let mut guest = Guest::new(&writable(&folder));
    let mut folders: Vec<_> = (0..100)
        .map(|number| {
            let node = guest.walk(&number.to_string()).unwrap();
            let opened: OpenOut = guest.ask(opcode::OPENDIR, node, &[&[0; 8]]).unwrap();
            (node, opened.fh, 0, 0)
        })
        .collect();
    // One entry of each, again and again.
    for _ in 0..22 {
        for (node, fh, offset, count) in &mut folders {
            let bytes = guest.call(opcode::READDIR, *node, &[read_in(*fh, *offset, 32).as_bytes()], 32).unwrap();
            let (entry, _) = zerocopy::FromBytes::read_from_prefix(&bytes).map(|(e, r): (Dirent, _)| (e, r)).unwrap();
            (*offset, *count) = (entry.off, *count + 1);
        }
    }
    for (node, fh, offset, count) in folders {
        assert_eq!(count, 22);
        assert_eq!(guest.call(opcode::READDIR, node, &[read_in(fh, offset, 4096).as_bytes()], 4096).unwrap(), b"");
    }
}
