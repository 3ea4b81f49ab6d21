use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use super::*;
use crate::{GuestAddress, Layout, Pages, Ram};

fn ram() -> Ram {
    Ram::new(&Layout::flat(0x10000), Pages::Small).unwrap()
}

fn data(ram: &Ram, ranges: &[(u64, u32)]) -> Buffers {
    let mut data = Buffers::new(ram.clone());
    for &(start, len) in ranges {
        data.push(GuestAddress(start), len, crate::Access::ReadWrite).unwrap();
    }
    data
}

fn bytes_of(data: &Buffers) -> Vec<u8> {
    let mut bytes = vec![0; data.len()];
    data.copy_to(0, &mut bytes).unwrap();
    bytes
}

fn next<T>(uring: &mut Uring<T>) -> Completion<T> {
    uring.wait().unwrap();
    uring.completion().unwrap()
}

/// The owner of a transfer: a name and the buffers.
type Owner = (char, Buffers);

fn owner(name: char, ram: &Ram, ranges: &[(u64, u32)]) -> Owner {
    (name, data(ram, ranges))
}

/// A ring over the reading end of a pipe: a read stays in flight until something is written.
fn over_pipe(depth: u16) -> (Uring<Owner>, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    (Uring::new(Arc::new(OwnedFd::from(reader).into()), depth).unwrap(), writer)
}

#[test]
fn a_batch_is_read_and_written_in_place_and_each_comes_back_to_its_owner() {
    let ram = ram();
    let file = Arc::new(tempfile::tempfile().unwrap());
    let mut uring = Uring::new(Arc::clone(&file), 8).unwrap();
    ram.write(GuestAddress(0), b"tartelettes").unwrap();
    uring.write(100, false, owner('a', &ram, &[(0, 4), (4, 7)]), |owner| &owner.1);
    uring.write(200, true, owner('b', &ram, &[(0, 4)]), |owner| &owner.1);
    uring.submit().unwrap();
    let mut names: Vec<_> = (0..2).map(|_| next(&mut uring)).map(|done| (done.owner.0, done.result.unwrap())).collect();
    names.sort_unstable();
    assert_eq!(names, [('a', 11), ('b', 4)]);
    let mut bytes = [0; 11];
    file.read_exact_at(&mut bytes, 100).unwrap();
    assert_eq!(&bytes, b"tartelettes");

    uring.read(100, owner('c', &ram, &[(0x100, 3), (0x200, 2)]), |owner| &owner.1);
    let done = next(&mut uring);
    assert_eq!((done.owner.0, done.result.unwrap(), bytes_of(&done.owner.1)), ('c', 5, b"tarte".to_vec()));
    assert_eq!(uring.in_flight(), 0);
}

#[test]
fn a_range_is_punched_or_zeroed_and_the_file_keeps_its_size() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    (&*file).write_all(&[7; 0x4000]).unwrap();
    let mut uring = Uring::new(Arc::clone(&file), 8).unwrap();
    uring.allocate(Allocate::PunchHole, 0x1000, 0x1000, ());
    uring.allocate(Allocate::ZeroRange, 0x3000, 0x8000, ());
    uring.data_sync(());
    let mut zeroed = true;
    for _ in 0..3 {
        // A file system need not know both; that is said, and nothing is pretended.
        zeroed &= next(&mut uring).result.map_err(|error| assert_eq!(error.kind(), io::ErrorKind::Unsupported)).is_ok();
    }
    assert_eq!(file.metadata().unwrap().len(), 0x4000);
    if zeroed {
        let mut bytes = vec![0; 0x4000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let sevens = |chunk: &[u8]| chunk.iter().filter(|&&byte| byte == 7).count();
        assert_eq!(bytes.chunks(0x1000).map(sevens).collect::<Vec<_>>(), [0x1000, 0, 0x1000, 0]);
    }
}

#[test]
fn errors_of_the_host_come_back_with_the_request() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut uring = Uring::new(Arc::new(full), 2).unwrap();
    uring.write(0, false, data(&ram(), &[(0, 512)]), |data| data);
    assert_eq!(next(&mut uring).result.unwrap_err().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_ring_is_full_with_as_many_as_it_was_made_for() {
    let (mut uring, mut writer) = over_pipe(3);
    let ram = ram();
    for name in ['a', 'b', 'c'] {
        assert!(uring.has_room());
        uring.read(0, owner(name, &ram, &[(0, 1)]), |owner| &owner.1);
    }
    assert!(!uring.has_room());
    uring.submit().unwrap();
    assert!(!uring.has_completion());
    writer.write_all(b"123").unwrap();
    let mut names: Vec<_> = (0..3).map(|_| next(&mut uring).owner.0).collect();
    names.sort_unstable();
    assert_eq!(names, ['a', 'b', 'c']);
    assert!(uring.has_room());
}

#[test]
fn dropping_a_ring_waits_for_what_is_in_flight() {
    let (mut uring, mut writer) = over_pipe(2);
    let ram = ram();
    uring.read(0, owner('a', &ram, &[(0, 4)]), |owner| &owner.1);
    uring.submit().unwrap();
    let dropping = std::thread::spawn(move || drop(uring));
    // The read is in flight until this, so the drop cannot end before it.
    assert!(!dropping.is_finished());
    writer.write_all(b"cake").unwrap();
    dropping.join().unwrap();
    let mut bytes = [0; 4];
    ram.read(GuestAddress(0), &mut bytes).unwrap();
    assert_eq!(&bytes, b"cake");
}

#[test]
fn memory_stays_mapped_for_as_long_as_the_kernel_may_write_to_it() {
    let (mut uring, mut writer) = over_pipe(2);
    uring.read(0, owner('a', &ram(), &[(0, 4)]), |owner| &owner.1);
    uring.submit().unwrap();
    // The guest's RAM has no other owner by now.
    writer.write_all(b"cake").unwrap();
    assert_eq!(bytes_of(&next(&mut uring).owner.1), b"cake");
}

#[test]
#[should_panic(expected = "a request more than the 1")]
fn one_more_than_there_is_room_for_is_a_bug_of_the_caller() {
    let mut uring = Uring::new(Arc::new(tempfile::tempfile().unwrap()), 1).unwrap();
    uring.data_sync(());
    uring.data_sync(());
}
