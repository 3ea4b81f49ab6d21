use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use super::credit::ROOM;
use super::packet::{HEADER, Header, Op, down};
use super::testkit::{CID, Guest, data, drain, packet};
use super::*;
use crate::event_loop::Polling;
use crate::testkit::Part;

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + seed * 7 + n / 251) as u8).collect()
}

fn shutdown(guest: u32, host: u32, flags: u32) -> Header {
    Header { flags, ..packet(Op::Shutdown, guest, host) }
}

#[test]
fn a_host_program_reaches_a_port_of_the_guest_and_both_talk() {
    let mut guest = Guest::new();
    let mut program = guest.call(1024);
    program.write_all(b"first words").unwrap();
    guest.run();
    let (request, _) = guest.came.pop_front().unwrap();
    assert_eq!((request.op, request.src_cid, request.dst_cid, request.dst_port), (Some(Op::Request), 2, CID, 1024));
    assert_eq!((request.buf_alloc, request.src_port >= 1 << 30), (ROOM, true));
    assert_eq!(drain(&mut program), (vec![], false), "no answer before the guest's");

    let port = request.src_port;
    let came = guest.ask(packet(Op::Response, 1024, port), &[]);
    assert_eq!(came.len(), 1);
    assert_eq!((came[0].0.op, &came[0].1[..]), (Some(Op::Data), &b"first words"[..]));
    assert_eq!(drain(&mut program), (format!("OK {port}\n").into_bytes(), false));
    guest.ask(data(1024, port, 6), b"answer");
    assert_eq!(drain(&mut program), (b"answer".to_vec(), false));
}

#[test]
fn a_guest_program_reaches_a_socket_of_the_host_and_both_talk() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    guest.ask(data(5000, 7, 5), b"hello");
    assert_eq!(drain(&mut program), (b"hello".to_vec(), false));
    program.write_all(b"world").unwrap();
    guest.run();
    let (header, bytes) = guest.came.pop_front().unwrap();
    assert_eq!((header.src_port, header.dst_port, header.fwd_cnt), (7, 5000, 5));
    assert_eq!(bytes, b"world");
}

#[test]
fn ports_without_a_listener_are_refused() {
    let mut guest = Guest::new();
    let came = guest.ask(packet(Op::Request, 5000, 7), &[]);
    assert_eq!((came.len(), came[0].0.op, came[0].0.src_port, came[0].0.dst_port), (1, Some(Op::Reset), 7, 5000));

    let mut program = guest.call(9);
    guest.run();
    let (request, _) = guest.came.pop_front().unwrap();
    guest.ask(packet(Op::Reset, 9, request.src_port), &[]);
    assert_eq!(drain(&mut program), (vec![], true), "closed, with no OK");
}

#[test]
fn what_belongs_to_no_connection_is_refused_unless_it_is_a_refusal() {
    let mut guest = Guest::new();
    for op in [Op::Response, Op::Shutdown, Op::Data, Op::CreditUpdate, Op::CreditRequest] {
        let came = guest.ask(packet(op, 5000, 7), &[]);
        assert_eq!((came.len(), came[0].0.op), (1, Some(Op::Reset)), "{op:?}");
    }
    assert_eq!(guest.ask(Header { op: None, ..packet(Op::Data, 1, 2) }, &[])[0].0.op, Some(Op::Reset));
    assert_eq!(guest.ask(packet(Op::Reset, 5000, 7), &[]), []);
}

#[test]
fn other_types_and_other_hosts_are_refused_and_other_guests_get_no_answer() {
    let mut guest = Guest::new();
    let _listener = guest.listen(7);
    let request = packet(Op::Request, 5000, 7);
    let seqpacket = guest.ask(Header { kind: 2, ..request }, &[]);
    assert_eq!((seqpacket[0].0.op, seqpacket[0].0.kind), (Some(Op::Reset), 2));
    let elsewhere = guest.ask(Header { dst_cid: 77, ..request }, &[]);
    assert_eq!((elsewhere[0].0.op, elsewhere[0].0.src_cid), (Some(Op::Reset), 77));
    assert_eq!(guest.ask(Header { src_cid: 4, ..request }, &[]), []);
}

#[test]
fn malformed_packets_end_their_connection_only() {
    let wrong: [(&str, Header, &[u8]); 7] = [
        ("no such operation", Header { op: None, ..packet(Op::Data, 5000, 7) }, b""),
        ("shorter than it says", Header { len: 6, ..data(5000, 7, 6) }, b"hello"),
        ("a length without end", data(5000, 7, u32::MAX as usize), b"hello"),
        ("a request on a connection", packet(Op::Request, 5000, 7), b""),
        ("a response to nothing", packet(Op::Response, 5000, 7), b""),
        ("a header and nothing", data(5000, 7, 1), b""),
        ("a word that is shorter than it says", Header { len: 1, ..packet(Op::CreditUpdate, 5000, 7) }, b""),
    ];
    for (what, header, payload) in wrong {
        let mut guest = Guest::new();
        let (mut broken, mut other) = (guest.connect(5000, 7), guest.connect(5001, 7));
        let came = guest.ask(header, payload);
        assert_eq!((came.len(), came[0].0.op, came[0].0.dst_port), (1, Some(Op::Reset), 5000), "{what}");
        assert_eq!(drain(&mut broken), (vec![], true), "{what}");
        guest.ask(data(5001, 7, 2), b"on");
        assert_eq!(drain(&mut other), (b"on".to_vec(), false), "{what}");
    }
}

#[test]
fn a_packet_without_a_whole_header_is_forgotten() {
    let mut guest = Guest::new();
    for len in 1..HEADER {
        guest.send_raw(&packet(Op::Request, 5000, 7).bytes()[..len]);
        guest.run();
    }
    guest.bench.drivers[1].add(&[Part::Writable(100)]).unwrap();
    assert_eq!(guest.heard(), []);
}

#[test]
fn bytes_behind_what_the_header_says_are_not_sent() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    guest.ask(data(5000, 7, 3), b"hello");
    assert_eq!(drain(&mut program), (b"hel".to_vec(), false));
}

#[test]
fn more_than_the_credit_ends_the_connection_and_what_came_before_arrives() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    let bytes = pattern(1 << 20, 0);
    let mut sent = 0;
    let came = loop {
        assert!(sent < bytes.len(), "there is no bound");
        let came = guest.ask(data(5000, 7, 1000), &bytes[sent..sent + 1000]);
        if came.iter().any(|(header, _)| header.op == Some(Op::Reset)) {
            break came;
        }
        assert!(came.is_empty(), "nothing was read, so there is no news of room");
        sent += 1000;
    };
    assert_eq!(came.len(), 1);
    let mut got = Vec::new();
    let ended = loop {
        let (piece, ended) = drain(&mut program);
        got.extend(piece);
        guest.run();
        if ended || got.len() > sent {
            break ended;
        }
    };
    assert!(ended && got == bytes[..sent], "{} of {sent} bytes", got.len());
}

#[test]
fn the_guest_hears_of_room_once_for_half_of_it() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    let piece = pattern(1024, 0);
    let mut updates = Vec::new();
    for number in 1..=1024_u32 {
        for (header, _) in guest.ask(data(5000, 7, 1024), &piece) {
            assert_eq!(header.op, Some(Op::CreditUpdate));
            updates.push((number * 1024, header.fwd_cnt));
        }
        drain(&mut program);
    }
    let half = ROOM / 2;
    assert_eq!(updates, (1..=8).map(|n| (n * half, n * half)).collect::<Vec<_>>());
}

#[test]
fn a_guest_that_asks_for_room_is_answered() {
    let mut guest = Guest::new();
    let _program = guest.connect(5000, 7);
    let came = guest.ask(packet(Op::CreditRequest, 5000, 7), &[]);
    assert_eq!((came.len(), came[0].0.op, came[0].0.buf_alloc), (1, Some(Op::CreditUpdate), ROOM));
}

#[test]
fn no_more_is_sent_than_the_guest_has_room_for() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    let bytes = pattern(100_000, 1);
    let update = |buf_alloc, fwd_cnt| Header { buf_alloc, fwd_cnt, ..packet(Op::CreditUpdate, 5000, 7) };
    guest.ask(update(10_000, 0), &[]);
    program.write_all(&bytes).unwrap();
    guest.run();
    let mut got: Vec<u8> = guest.came.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(got, bytes[..10_000]);
    assert_eq!(guest.came.back().unwrap().0.op, Some(Op::CreditRequest), "asked once that there is no more");
    guest.came.clear();
    guest.run();
    assert_eq!(guest.came, []);
    for fwd_cnt in 1..=100 {
        let before = got.len();
        guest.post(2, 4096);
        got.extend(guest.ask(update(10_000, fwd_cnt), &[]).into_iter().flat_map(|(_, bytes)| bytes));
        assert_eq!(got.len(), before + 1, "a byte for a byte");
    }
    got.extend(guest.ask(update(100_000, 10_100), &[]).into_iter().flat_map(|(_, bytes)| bytes));
    assert!(got == bytes);
}

#[test]
fn the_end_of_what_the_host_sends_comes_behind_it_and_the_guest_may_go_on() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    program.write_all(b"last").unwrap();
    program.shutdown(Shutdown::Write).unwrap();
    guest.run();
    let came: Vec<_> = guest.came.drain(..).collect();
    assert_eq!((came.len(), came[0].0.op, &came[0].1[..]), (2, Some(Op::Data), &b"last"[..]));
    assert_eq!((came[1].0.op, came[1].0.flags), (Some(Op::Shutdown), down::SEND));
    guest.ask(data(5000, 7, 4), b"more");
    assert_eq!(drain(&mut program), (b"more".to_vec(), false));
    assert_eq!(guest.heard(), [], "told once");
    let came = guest.ask(shutdown(5000, 7, down::BOTH), &[]);
    assert_eq!((came.len(), came[0].0.op), (1, Some(Op::Reset)));
    assert_eq!(drain(&mut program), (vec![], true));
}

#[test]
fn the_end_of_what_the_guest_sends_comes_behind_it_and_the_host_may_go_on() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    guest.send(data(5000, 7, 4), b"last");
    assert_eq!(guest.ask(shutdown(5000, 7, down::SEND), &[]), []);
    assert_eq!(drain(&mut program), (b"last".to_vec(), true));
    program.write_all(b"more").unwrap();
    guest.run();
    assert_eq!(guest.came.pop_front().unwrap().1, b"more");
    drop(program);
    guest.run();
    let (header, _) = guest.came.pop_front().unwrap();
    assert_eq!((header.op, header.flags), (Some(Op::Shutdown), down::BOTH));
    assert_eq!(guest.ask(packet(Op::Reset, 5000, 7), &[]), []);
}

#[test]
fn a_guest_that_receives_no_more_makes_writing_an_error_for_the_host() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    guest.ask(shutdown(5000, 7, down::RECEIVE), &[]);
    assert_eq!(program.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    guest.ask(data(5000, 7, 4), b"more");
    assert_eq!(drain(&mut program), (b"more".to_vec(), false));
}

#[test]
fn a_host_program_that_goes_is_told_of_behind_its_last_words() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    program.write_all(b"last words").unwrap();
    drop(program);
    guest.run();
    let came: Vec<_> = guest.came.drain(..).collect();
    assert_eq!(came[0].1, b"last words");
    assert_eq!((came.len(), came[1].0.op, came[1].0.flags), (2, Some(Op::Shutdown), down::BOTH));
    // What was on its way is taken and forgotten, and costs no room.
    for _ in 0..2 * ROOM / 65536 {
        let came = guest.ask(data(5000, 7, 65536), &[0; 65536]);
        assert!(came.iter().all(|(header, _)| header.op == Some(Op::CreditUpdate)), "{came:?}");
    }
    assert_eq!(guest.ask(packet(Op::Reset, 5000, 7), &[]), []);
    assert_eq!(guest.ask(packet(Op::CreditUpdate, 5000, 7), &[]).len(), 1, "it is known no longer");
}

#[test]
fn a_guest_that_leaves_at_once_is_heard_to_the_end() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    let bytes = pattern(ROOM as usize, 2);
    for piece in bytes.chunks(65536) {
        guest.send(data(5000, 7, piece.len()), piece);
    }
    assert_eq!(guest.ask(packet(Op::Reset, 5000, 7), &[]), []);
    // The ports can be used again meanwhile.
    let mut next = guest.connect(5000, 7);
    guest.ask(data(5000, 7, 3), b"new");
    let mut got = Vec::new();
    loop {
        let (piece, ended) = drain(&mut program);
        got.extend(piece);
        if ended {
            break;
        }
        guest.run();
    }
    assert!(got == bytes);
    assert_eq!(drain(&mut next), (b"new".to_vec(), false));
}

#[test]
fn a_guest_that_shuts_down_while_the_host_is_slow_is_answered_when_all_has_arrived() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    let bytes = pattern(ROOM as usize, 3);
    for piece in bytes.chunks(65536) {
        guest.send(data(5000, 7, piece.len()), piece);
    }
    assert_eq!(guest.ask(shutdown(5000, 7, down::BOTH), &[]), []);
    let mut got = Vec::new();
    while got.len() < bytes.len() {
        got.extend(drain(&mut program).0);
        guest.run();
    }
    assert!(got == bytes);
    assert_eq!(guest.heard().last(), Some(&Op::Reset));
    assert_eq!(drain(&mut program), (vec![], true));
}

#[test]
fn a_host_program_that_gives_up_before_the_guest_answers_is_taken_back() {
    let mut guest = Guest::new();
    let program = guest.call(1024);
    guest.run();
    let (request, _) = guest.came.pop_front().unwrap();
    drop(program);
    guest.run();
    let (header, _) = guest.came.pop_front().unwrap();
    assert_eq!((header.op, header.src_port), (Some(Op::Reset), request.src_port));
    // The guest's answer crossed it.
    assert_eq!(guest.ask(packet(Op::Response, 1024, request.src_port), &[])[0].0.op, Some(Op::Reset));
}

#[test]
fn host_programs_that_say_something_else_are_sent_away() {
    let mut guest = Guest::new();
    let mut wrong = UnixStream::connect(&guest.path).unwrap();
    wrong.write_all(b"HELLO\n").unwrap();
    wrong.set_nonblocking(true).unwrap();
    let mut slow = UnixStream::connect(&guest.path).unwrap();
    slow.set_nonblocking(true).unwrap();
    slow.write_all(b"CONN").unwrap();
    drop(UnixStream::connect(&guest.path).unwrap());
    assert_eq!(guest.heard(), []);
    assert!(drain(&mut wrong).1);
    assert_eq!(drain(&mut slow), (vec![], false));
    slow.write_all(b"ECT 5\n").unwrap();
    assert_eq!(guest.heard(), [Op::Request]);
}

/// A guest that has all the connections that it may have, with the host's ends.
fn greedy() -> (Guest, Vec<UnixStream>) {
    let mut guest = Guest::new();
    let listener = guest.listen(7);
    listener.set_nonblocking(true).unwrap();
    let mut programs = Vec::new();
    for port in 0..exchange::MAX_FROM_GUEST as u32 {
        guest.post(4, 100);
        let came = guest.ask(packet(Op::Request, port, 7), &[]);
        assert_eq!(came[0].0.op, Some(Op::Response));
        programs.push(listener.accept().unwrap().0);
    }
    guest.post(16, 100);
    assert_eq!(guest.ask(packet(Op::Request, 9999, 7), &[])[0].0.op, Some(Op::Reset));
    (guest, programs)
}

#[test]
fn a_guest_with_every_connection_of_its_own_is_still_reached() {
    let (mut guest, _programs) = greedy();
    let _program = guest.call(1024);
    assert_eq!(guest.heard(), [Op::Request]);
}

#[test]
fn a_connection_of_the_guest_that_ends_makes_room_for_another() {
    let (mut guest, _programs) = greedy();
    guest.ask(packet(Op::Reset, 0, 7), &[]);
    let _listener = guest.listen(8);
    assert_eq!(guest.ask(packet(Op::Request, 9999, 8), &[])[0].0.op, Some(Op::Response));
}

#[test]
fn connections_that_wait_for_the_host_count_as_the_guests() {
    let (mut guest, programs) = greedy();
    // The host programs read nothing; the guest sends more than their sockets take, and leaves.
    for port in 0..programs.len() as u32 {
        for _ in 0..2 {
            guest.send(data(port, 7, 128 << 10), &vec![0; 128 << 10]);
        }
        guest.ask(packet(Op::Reset, port, 7), &[]);
    }
    let _listener = guest.listen(8);
    assert_eq!(guest.ask(packet(Op::Request, 1, 8), &[])[0].0.op, Some(Op::Reset));
    let _program = guest.call(1024);
    assert_eq!(guest.heard(), [Op::Request]);
    drop(programs);
    guest.run();
    assert_eq!(guest.ask(packet(Op::Request, 1, 8), &[])[0].0.op, Some(Op::Response));
}

#[test]
fn host_programs_beyond_the_bound_wait_for_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let mut guest = Guest::new();
    let mut programs = Vec::new();
    for _ in 0..exchange::MAX_CONNECTIONS {
        guest.post(4, 100);
        programs.push(guest.call(1024));
        assert_eq!(guest.heard(), [Op::Request]);
    }
    programs.extend((0..300).map(|_| guest.call(1024)));
    guest.post(64, 100);
    assert_eq!(guest.heard(), [], "they wait");
    drop(programs.drain(..10));
    let mut heard = guest.heard();
    heard.sort_by_key(|op| *op == Op::Request);
    assert_eq!(heard, [[Op::Reset; 10], [Op::Request; 10]].concat());
}

#[test]
fn refusals_that_the_guest_does_not_take_are_bounded() {
    let mut guest = Guest::without_buffers();
    for port in 0..400 {
        guest.send(packet(Op::CreditUpdate, port, 7), &[]);
        if port % 200 == 199 {
            guest.run();
        }
    }
    let taken = guest.bench.drivers[1].counters.requests.get();
    assert_eq!(taken, 256, "as many as there are places for refusals");
    let mut refused = 0;
    while refused < 400 {
        guest.post(100, 44 + 1);
        let heard = guest.heard();
        assert!(!heard.is_empty(), "stuck after {refused}");
        refused += heard.len();
    }
    assert_eq!((refused, guest.heard()), (400, vec![]));
}

#[test]
fn buffers_are_asked_for_only_while_something_waits() {
    let mut guest = Guest::without_buffers();
    let wanted = |guest: &mut Guest| {
        let before = guest.bench.drivers[0].available_index();
        guest.post(1, 4096);
        guest.bench.drivers[0].kick_wanted(before)
    };
    guest.run();
    assert!(!wanted(&mut guest));
    let mut program = guest.connect(5000, 7);
    program.write_all(&pattern(100_000, 0)).unwrap();
    assert_eq!(guest.heard(), []);
    assert!(wanted(&mut guest));
    guest.post(100, 4096);
    guest.run();
    assert!(!wanted(&mut guest));
    let before = guest.bench.drivers[2].available_index();
    guest.bench.drivers[2].add(&[Part::Writable(4)]).unwrap();
    assert!(!guest.bench.drivers[2].kick_wanted(before), "events never come");
}

#[test]
fn a_burst_costs_one_interrupt_a_queue() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    for driver in &guest.bench.drivers[..2] {
        driver.take_interrupts();
    }
    let seen = guest.bench.drivers[0].counters.requests.get() as u16;
    guest.bench.drivers[0].set_used_event(seen);
    program.write_all(&pattern(100_000, 0)).unwrap();
    guest.run();
    assert!(guest.came.len() > 20);
    assert_eq!((guest.bench.drivers[0].take_interrupts(), guest.bench.drivers[1].take_interrupts()), (1, 0));
    for _ in 0..10 {
        guest.send(data(5000, 7, 5), b"hello");
    }
    let seen = guest.bench.drivers[1].counters.requests.get() as u16;
    guest.bench.drivers[1].set_used_event(seen);
    guest.run();
    assert_eq!(guest.bench.drivers[1].take_interrupts(), 1);
}

#[test]
fn a_receive_buffer_without_room_for_a_packet_is_a_fault() {
    let mut guest = Guest::without_buffers();
    guest.post(1, HEADER);
    guest.send(packet(Op::CreditUpdate, 1, 2), &[]);
    assert!(guest.bench.workers[0].ready(1).is_err());
    let mut guest = Guest::new();
    guest.bench.drivers[1].set_available_index(QUEUE_SIZE + 1);
    assert!(guest.bench.workers[0].ready(1).is_err());
}

#[test]
fn connections_end_with_a_reset_of_the_device_and_what_was_sent_arrives() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    guest.send(data(5000, 7, 10), b"last words");
    guest.bench.workers[0].stop();
    guest.bench.workers.clear();
    assert_eq!(drain(&mut program), (b"last words".to_vec(), true));
    UnixStream::connect(&guest.path).unwrap();
    drop(guest.file);
    assert!(!guest.path.exists());
}

#[test]
fn a_device_that_stops_waits_for_a_host_program_that_is_reading() {
    let mut guest = Guest::new();
    let mut program = guest.connect(5000, 7);
    program.set_nonblocking(false).unwrap();
    let bytes = pattern(ROOM as usize, 4);
    for piece in bytes.chunks(65536) {
        guest.send(data(5000, 7, piece.len()), piece);
    }
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        std::io::Read::read_to_end(&mut program, &mut got).unwrap();
        got
    });
    guest.bench.workers[0].stop();
    guest.bench.workers.clear();
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn one_turn_is_bounded() {
    let mut guest = Guest::new();
    let _program = guest.connect(5000, 7);
    for _ in 0..65 {
        guest.send(data(5000, 7, 1), b"x");
    }
    assert_eq!(guest.bench.workers[0].ready(1).unwrap(), Polling::Again);
    assert_eq!(guest.bench.workers[0].poll().unwrap(), Polling::Sleep);
}

#[test]
fn the_configuration_is_the_cid() {
    let folder = tempfile::tempdir().unwrap();
    let spec = VsockSpec { path: folder.path().join("vm"), cid: 0x0102_0304 };
    let (device, _file) = Vsock::open(&spec).unwrap();
    assert_eq!(device.config(), [4, 3, 2, 1, 0, 0, 0, 0]);
    assert_eq!((device.kind().id, device.queue_sizes().len(), device.features()), (19, 3, F_STREAM));
}
