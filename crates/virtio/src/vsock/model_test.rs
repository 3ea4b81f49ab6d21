//! Streams against a model: random steps of both ends, then everything is let run to its end. Every byte arrives once and
//! in order, and so does each half's end.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;

use super::credit::ROOM;
use super::packet::{Header, Op, down};
use super::testkit::{Guest, drain, packet};

#[derive(Debug, Clone)]
enum Step {
    HostWrites(usize, usize),
    HostReads(usize),
    HostEnds(usize),
    HostLeaves(usize),
    GuestWrites(usize, usize),
    GuestReads(usize, usize),
    GuestEnds(usize),
    GuestAsks(usize),
    Posts(usize, usize),
    Runs,
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..STREAMS;
    prop_oneof![
        4 => (which.clone(), 1..200_000_usize).prop_map(|(n, len)| Step::HostWrites(n, len)),
        4 => which.clone().prop_map(Step::HostReads),
        1 => which.clone().prop_map(Step::HostEnds),
        1 => which.clone().prop_map(Step::HostLeaves),
        6 => (which.clone(), 1..70_000_usize).prop_map(|(n, len)| Step::GuestWrites(n, len)),
        4 => (which.clone(), 1..100_000_usize).prop_map(|(n, len)| Step::GuestReads(n, len)),
        1 => which.clone().prop_map(Step::GuestEnds),
        1 => which.prop_map(Step::GuestAsks),
        4 => (1..40_usize, 45..9000_usize).prop_map(|(count, len)| Step::Posts(count, len)),
        8 => Just(Step::Runs),
    ]
}

const STREAMS: usize = 3;

/// One stream, with what both ends did.
struct Stream {
    program: Option<UnixStream>,
    port: u32,
    /// From the guest.
    sent: usize,
    arrived: Vec<u8>,
    arrived_end: bool,
    guest_ended: bool,
    credit: (u32, u32),
    /// To the guest.
    written: usize,
    received: Vec<u8>,
    consumed: u32,
    host_ended: bool,
    host_left: bool,
    heard_down: u32,
    reset: bool,
}

fn byte(stream: usize, to_guest: bool, at: usize) -> u8 {
    (at * 13 + at / 256 + stream * 101 + usize::from(to_guest) * 57) as u8
}

fn bytes(stream: usize, to_guest: bool, from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|at| byte(stream, to_guest, at)).collect()
}

impl Stream {
    fn header(&self, op: Op) -> Header {
        Header { fwd_cnt: self.consumed, buf_alloc: 100_000, ..packet(op, self.port, 7) }
    }

    fn credit(&self) -> usize {
        (self.credit.0 - (self.sent as u32).wrapping_sub(self.credit.1)) as usize
    }

    fn host_reads(&mut self) {
        if let Some(program) = &mut self.program {
            let (more, end) = drain(program);
            assert!(!self.arrived_end || more.is_empty(), "bytes behind the end");
            self.arrived.extend(more);
            self.arrived_end |= end;
        }
    }
}

struct World {
    guest: Guest,
    streams: Vec<Stream>,
}

impl World {
    fn new() -> Self {
        let mut guest = Guest::without_buffers();
        guest.post(STREAMS + 1, 200);
        let streams = (0..STREAMS).map(|number| {
            let port = 5000 + number as u32;
            Stream {
                program: Some(guest.connect(port, 7)),
                port,
                sent: 0,
                arrived: Vec::new(),
                arrived_end: false,
                guest_ended: false,
                credit: (ROOM, 0),
                written: 0,
                received: Vec::new(),
                consumed: 0,
                host_ended: false,
                host_left: false,
                heard_down: 0,
                reset: false,
            }
        });
        let streams = streams.collect();
        let mut world = Self { guest, streams };
        for n in 0..STREAMS {
            world.step(&Step::GuestReads(n, 0));
        }
        world.run();
        world
    }

    fn send(&mut self, header: Header, payload: &[u8]) {
        // A driver with a full ring waits for the device.
        if self.guest.bench.drivers[1]
            .available_index()
            .wrapping_sub(self.guest.bench.drivers[1].counters.requests.get() as u16)
            >= 200
        {
            self.run();
        }
        self.guest.send(header, payload);
    }

    fn run(&mut self) {
        self.guest.run();
        while let Some((header, bytes)) = self.guest.came.pop_front() {
            let stream = &mut self.streams[(header.dst_port - 5000) as usize];
            assert!(!stream.reset, "{header:?} behind a reset");
            stream.credit = (header.buf_alloc, header.fwd_cnt);
            match header.op.unwrap() {
                Op::Data => {
                    assert_eq!(stream.heard_down & down::SEND, 0, "bytes behind the end");
                    stream.received.extend(bytes);
                    assert!(stream.received.len() as u32 - stream.consumed <= 100_000, "more than there is room for");
                }
                Op::Shutdown => stream.heard_down |= header.flags,
                Op::Reset => stream.reset = true,
                Op::CreditUpdate => {}
                Op::CreditRequest => {
                    let answer = stream.header(Op::CreditUpdate);
                    self.guest.send(answer, &[]);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::HostWrites(n, len) => {
                let stream = &mut self.streams[n];
                let ended = stream.host_ended;
                let Some(program) = stream.program.as_mut().filter(|_| !ended) else { return };
                match program.write(&bytes(n, true, stream.written, len)) {
                    Ok(put) => stream.written += put,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            Step::HostReads(n) => self.streams[n].host_reads(),
            Step::HostEnds(n) => {
                let stream = &mut self.streams[n];
                stream.host_ended = true;
                stream.program.iter().for_each(|program| program.shutdown(Shutdown::Write).unwrap());
            }
            Step::HostLeaves(n) => {
                let stream = &mut self.streams[n];
                // With unread bytes, the other end would see an error instead of an end.
                stream.host_reads();
                stream.program = None;
                (stream.host_ended, stream.host_left) = (true, true);
            }
            Step::GuestWrites(n, len) => {
                let stream = &mut self.streams[n];
                let len = len.min(stream.credit());
                if stream.guest_ended || stream.reset || len == 0 {
                    return;
                }
                let payload = bytes(n, false, stream.sent, len);
                stream.sent += len;
                let header = Header { len: len as u32, ..stream.header(Op::Data) };
                self.send(header, &payload);
            }
            Step::GuestReads(n, len) => {
                let stream = &mut self.streams[n];
                let unread = stream.received.len() as u32 - stream.consumed;
                stream.consumed += unread.min(len as u32);
                if !stream.reset {
                    let update = stream.header(Op::CreditUpdate);
                    self.send(update, &[]);
                }
            }
            Step::GuestEnds(n) => {
                let stream = &mut self.streams[n];
                if !stream.guest_ended && !stream.reset {
                    stream.guest_ended = true;
                    let end = Header { flags: down::SEND, ..stream.header(Op::Shutdown) };
                    self.send(end, &[]);
                }
            }
            Step::GuestAsks(n) => {
                let stream = &self.streams[n];
                if !stream.reset {
                    let ask = stream.header(Op::CreditRequest);
                    self.send(ask, &[]);
                }
            }
            Step::Posts(count, len) => self.guest.post(count, len),
            Step::Runs => self.run(),
        }
    }

    /// Both ends read all there is, and have nothing more to say.
    fn finish(&mut self) {
        for n in 0..STREAMS {
            self.step(&Step::HostEnds(n));
            self.step(&Step::GuestEnds(n));
        }
        for _ in 0..200 {
            for n in 0..STREAMS {
                self.step(&Step::HostReads(n));
                self.step(&Step::GuestReads(n, usize::MAX));
            }
            self.step(&Step::Posts(100, 4096));
            self.run();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_byte_arrives_once_and_in_order_and_so_does_each_end(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.finish();
        for (n, stream) in world.streams.iter().enumerate() {
            prop_assert!(stream.received == bytes(n, true, 0, stream.written), "{} of {} bytes", stream.received.len(), stream.written);
            prop_assert!(stream.heard_down & down::SEND != 0, "the guest heard no end");
            if stream.host_left {
                prop_assert!(stream.arrived == bytes(n, false, 0, stream.arrived.len()));
                prop_assert_eq!(stream.heard_down, down::BOTH);
            } else {
                prop_assert!(stream.arrived == bytes(n, false, 0, stream.sent), "{} of {} bytes", stream.arrived.len(), stream.sent);
                prop_assert!(stream.arrived_end, "the host heard no end");
            }
            prop_assert!(!stream.reset);
        }
    }
}
