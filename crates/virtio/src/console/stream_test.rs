use std::fs::read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::*;
use crate::testkit::ram;
use illico_memory::GuestAddress;

/// A request whose data are `bytes`.
fn request(bytes: &[u8]) -> Buffers {
    let ram = ram(1 << 20);
    ram.write(GuestAddress(0), bytes).unwrap();
    let mut buffers = Buffers::new(ram);
    buffers.push(GuestAddress(0), bytes.len() as u32, illico_memory::Access::ReadWrite).unwrap();
    buffers
}

fn is_nonblocking(file: &impl AsFd) -> bool {
    fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK)
}

/// Outside and inside of a terminal.
pub(in crate::console) fn terminal() -> (OwnedFd, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name.to_str().unwrap());
    (master, slave.unwrap())
}

#[test]
fn a_shared_pipe_or_terminal_keeps_its_flags() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (_master, slave) = terminal();
    let given: [OwnedFd; 2] = [writer.into(), slave.into()];
    for shared in given {
        let stream = Stream::output(shared.try_clone().unwrap()).unwrap();
        assert!(stream.nonblocking);
        assert!(!is_nonblocking(&shared), "the description that others use was changed");
    }
    assert!(Stream::input(reader.into()).unwrap().nonblocking);
}

#[test]
fn the_other_side_of_a_terminal_is_not_opened_anew() {
    let (master, mut slave) = terminal();
    let stream = Stream::output(master).unwrap();
    assert_eq!(stream.write_from(&request(b"typed\n")), Transfer::Moved(6));
    let mut line = [0; 16];
    assert_eq!(slave.read(&mut line).unwrap(), 6, "it is still this terminal's other side");
}

#[test]
fn a_full_pipe_is_for_later_and_a_closed_one_is_the_end() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let stream = Stream::output(writer.into()).unwrap();
    let some = request(&[b'a'; 4096]);
    while let Transfer::Moved(bytes) = stream.write_from(&some) {
        assert_eq!(bytes, 4096);
    }
    assert_eq!(stream.write_from(&some), Transfer::NotNow);
    reader.read_exact(&mut [0; 4096]).unwrap();
    assert_eq!(stream.write_from(&some), Transfer::Moved(4096));
    drop(reader);
    assert_eq!((stream.write_from(&some), stream.is_over()), (Transfer::Over, true));
}

#[test]
fn a_blocking_socket_is_asked_first_and_never_waited_for() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stream = Stream::output(ours.into()).unwrap();
    assert!(!stream.nonblocking && stream.most() == PIPE_BUF);
    let some = request(&[b'a'; PIPE_BUF]);
    let mut sent = 0;
    while let Transfer::Moved(bytes) = stream.write_from(&some) {
        sent += bytes;
    }
    assert_eq!((stream.write_from(&some), stream.is_over()), (Transfer::NotNow, false));
    drop(stream);
    let mut received = Vec::new();
    theirs.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), sent);

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let stream = Stream::input(ours.into()).unwrap();
    let room = request(&[0; 8]);
    assert_eq!(stream.read_into(&room), Transfer::NotNow);
    theirs.write_all(b"key").unwrap();
    assert_eq!(stream.read_into(&room), Transfer::Moved(3));
    drop(theirs);
    assert_eq!((stream.read_into(&room), stream.is_over()), (Transfer::Over, true));
}

#[test]
fn a_regular_file_goes_on_where_its_description_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"before ").unwrap();
    let stream = Stream::output(file.into()).unwrap();
    assert!(stream.source().is_none());
    assert_eq!(stream.write_from(&request(b"after")), Transfer::Moved(5));
    stream.write_emergency(b'!');
    assert_eq!(read(path).unwrap(), b"before after!");
}

#[test]
fn an_output_with_a_limit_takes_that_much_and_forgets_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let stream = Stream::limited(File::create(&path).unwrap().into(), 10).unwrap();
    assert_eq!(stream.write_from(&request(b"0123456")), Transfer::Moved(7));
    assert!(!stream.is_over());
    assert_eq!(stream.write_from(&request(b"789a")), Transfer::Moved(4));
    assert_eq!(stream.write_from(&request(b"lost")), Transfer::Over);
    stream.write_emergency(b'!');
    assert_eq!(read(path).unwrap(), b"0123456789a");
}

#[test]
fn a_full_disk_ends_the_output_and_not_the_monitor() {
    let stream = Stream::output(File::options().write(true).open("/dev/full").unwrap().into()).unwrap();
    assert_eq!(stream.write_from(&request(b"lost")), Transfer::Over);
    assert!(stream.is_over());
}

#[test]
fn an_emergency_character_finds_its_way_or_is_lost_but_does_not_hang() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let stream = Stream::output(writer.into()).unwrap();
    stream.write_emergency(b'!');
    let mut one = [0];
    reader.read_exact(&mut one).unwrap();
    assert_eq!(&one, b"!");
    while let Transfer::Moved(_) = stream.write_from(&request(&[0; 4096])) {}
    stream.write_emergency(b'?');
    assert!(!stream.is_over(), "no room is not the end");
}
