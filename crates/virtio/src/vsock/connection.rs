//! One stream between a host program and the guest (VirtIO 1.3 § 5.10.6): which packets it takes, what it owes the
//! guest, and the bytes in between.
//!
//! Bytes to the guest stay in the host's socket until the guest has room. Bytes from the guest go straight to the
//! socket; those that it does not take yet wait here, [`credit::ROOM`](super::credit::ROOM) of them at most.
//! Each direction ends by itself. What came before an end arrives before it.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use illico_memory::Buffers;

use super::credit::{Incoming, Outgoing, ROOM};
use super::greeting;
use super::packet::{HOST_CID, Header, Op, STREAM, down};

/// What tells connections apart: there is one guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    /// Of the host.
    pub host: u32,
    /// Of the guest.
    pub guest: u32,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A host program wants it, and the guest is to be asked.
    Calling,
    /// It was asked.
    Called,
    /// The guest wants it, and is to be told that it has it.
    Answering,
    Open,
    /// The guest knows it no longer. What it sent before that waits for the host program.
    Lingering,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It goes on.
    Stays,
    /// For the guest it has ended.
    Over,
    /// It has ended, and the guest is to hear of it.
    Reset,
}

/// The next thing that the guest is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToSend {
    /// A packet without data.
    Word(Op),
    /// At most so many bytes, if the host program has sent any.
    Data(u32),
}

/// A stream.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    ports: Ports,
    guest_cid: u64,
    stage: Stage,
    incoming: Incoming,
    outgoing: Outgoing,
    /// What the host program has not taken yet.
    backlog: VecDeque<u8>,
    /// `down` flags: what the host program no longer does, how much of that the guest knows, and what the guest no
    /// longer does.
    host_down: u32,
    told_down: u32,
    guest_down: u32,
    /// The host program may have sent something.
    readable: bool,
    /// The guest asked how much room there is.
    owes_credit: bool,
    /// It was asked the same, and has not made room since.
    asked_credit: bool,
}

impl Connection {
    /// A host program wants to reach `ports.guest`.
    pub fn calling(stream: UnixStream, ports: Ports, guest_cid: u64) -> Self {
        Self::new(stream, ports, guest_cid, Stage::Calling)
    }

    /// The guest has reached a host program with `request`.
    pub fn answering(stream: UnixStream, ports: Ports, request: &Header) -> Self {
        let mut connection = Self::new(stream, ports, request.src_cid, Stage::Answering);
        connection.outgoing.hear(request.buf_alloc, request.fwd_cnt);
        connection
    }

    fn new(stream: UnixStream, ports: Ports, guest_cid: u64, stage: Stage) -> Self {
        Self {
            stream,
            ports,
            guest_cid,
            stage,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            backlog: VecDeque::new(),
            host_down: 0,
            told_down: 0,
            guest_down: 0,
            // Found out by the first look.
            readable: true,
            owes_credit: false,
            asked_credit: false,
        }
    }

    /// Its name.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The host's end.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Whether bytes wait for the host program.
    pub fn is_blocked(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Takes a packet of the guest. `payload` is what lies behind the header, if all of it is there.
    pub fn receive(&mut self, header: &Header, payload: Option<&mut Buffers>) -> Disposition {
        let (Some(op), Some(payload)) = (header.op, payload) else { return Disposition::Reset };
        if op == Op::Reset {
            return Disposition::Over;
        }
        match (self.stage, op) {
            (Stage::Called, Op::Response) => {
                self.hear(header);
                self.open()
            }
            (Stage::Open, Op::Shutdown) => {
                self.hear(header);
                self.guest_shuts_down(header.flags)
            }
            (Stage::Open, Op::Data) => {
                self.hear(header);
                self.take(payload)
            }
            (Stage::Open, Op::CreditUpdate) => {
                self.hear(header);
                Disposition::Stays
            }
            (Stage::Open, Op::CreditRequest) => {
                self.hear(header);
                self.owes_credit = true;
                Disposition::Stays
            }
            _ => Disposition::Reset,
        }
    }

    fn hear(&mut self, header: &Header) {
        self.outgoing.hear(header.buf_alloc, header.fwd_cnt);
        if self.outgoing.room() > 0 {
            self.asked_credit = false;
        }
    }

    /// The guest has accepted: the host program is told.
    fn open(&mut self) -> Disposition {
        let answer = greeting::answer(self.ports.host);
        // The first bytes on this socket: there is room for them, or the program has gone.
        match (&self.stream).write(answer.as_bytes()) {
            Ok(len) if len == answer.len() => {
                self.stage = Stage::Open;
                Disposition::Stays
            }
            _ => Disposition::Reset,
        }
    }

    fn guest_shuts_down(&mut self, flags: u32) -> Disposition {
        self.guest_down |= flags & down::BOTH;
        if self.guest_down & down::RECEIVE != 0 {
            // What the host program sends from here on is an error there, as on any socket.
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        self.after_writing()
    }

    /// Bytes of the guest.
    fn take(&mut self, payload: &mut Buffers) -> Disposition {
        // Lengths of chains and the backlog's bound fit into 32 bits.
        let len = payload.len() as u32;
        if self.guest_down & down::SEND != 0 || !self.incoming.receive(len) {
            return Disposition::Reset;
        }
        if self.host_down & down::RECEIVE != 0 {
            self.incoming.forward(len);
            return Disposition::Stays;
        }
        if self.backlog.is_empty() {
            match writing(|| payload.write_to(self.stream.as_fd(), None)) {
                Written::Some(put) => {
                    self.incoming.forward(put as u32);
                    // It wrote no more than there is.
                    let _ = payload.advance(put);
                }
                Written::NotNow => {}
                Written::Never => {
                    self.incoming.forward(len);
                    self.host_down |= down::RECEIVE;
                    return Disposition::Stays;
                }
            }
        }
        self.keep(payload);
        Disposition::Stays
    }

    /// Copies what the host program did not take. The copy is bounded by the credit that the guest has.
    fn keep(&mut self, rest: &Buffers) {
        let mut piece = [0; 4096];
        let mut offset: usize = 0;
        while let Some(left) = rest.len().checked_sub(offset).filter(|&left| left > 0) {
            let Some(part) = piece.get_mut(..left.min(4096)) else { return };
            if rest.copy_to(offset, part).is_err() {
                return;
            }
            self.backlog.extend(&*part);
            offset = offset.saturating_add(part.len());
        }
    }

    /// The host program takes bytes again, or has gone.
    pub fn flush(&mut self) -> Disposition {
        while !self.backlog.is_empty() {
            let (first, second) = self.backlog.as_slices();
            let slices = [io::IoSlice::new(first), io::IoSlice::new(second)];
            match writing(|| (&self.stream).write_vectored(&slices)) {
                Written::Some(put) => {
                    self.incoming.forward(put as u32);
                    self.backlog.drain(..put.min(self.backlog.len()));
                }
                Written::NotNow => return Disposition::Stays,
                Written::Never => {
                    self.incoming.forward(self.backlog.len() as u32);
                    self.backlog.clear();
                    self.host_down |= down::RECEIVE;
                }
            }
        }
        // A connection that never stalls again keeps nothing.
        self.backlog = VecDeque::new();
        self.after_writing()
    }

    /// What waited for the last byte: the end of this direction, and of the connection.
    fn after_writing(&mut self) -> Disposition {
        if !self.backlog.is_empty() {
            return Disposition::Stays;
        }
        if self.stage == Stage::Lingering {
            return Disposition::Over;
        }
        if self.guest_down & down::SEND != 0 {
            // An error means that the program has gone.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        // § 5.10.6.6: a side that has shut down both directions waits for a reset.
        if self.guest_down == down::BOTH { Disposition::Reset } else { Disposition::Stays }
    }

    /// The host program may have sent something.
    pub fn host_may_have_sent(&mut self) {
        self.readable = true;
    }

    /// The host program is gone, or takes no more. What it sent before is still to be read.
    pub fn host_hung_up(&mut self) -> Disposition {
        match self.stage {
            Stage::Calling => return Disposition::Over,
            Stage::Called => return Disposition::Reset,
            Stage::Answering | Stage::Open | Stage::Lingering => {}
        }
        self.host_down |= down::RECEIVE;
        self.readable = true;
        self.flush()
    }

    /// The guest knows this connection no longer. `true` where bytes of it still wait for the host program.
    pub fn linger(&mut self) -> bool {
        self.stage = Stage::Lingering;
        self.is_blocked()
    }

    /// What the guest is to be sent next.
    pub fn due(&self) -> Option<ToSend> {
        match self.stage {
            Stage::Calling => return Some(ToSend::Word(Op::Request)),
            Stage::Answering => return Some(ToSend::Word(Op::Response)),
            Stage::Called | Stage::Lingering => return None,
            Stage::Open => {}
        }
        if self.owes_credit {
            return Some(ToSend::Word(Op::CreditUpdate));
        }
        let room = self.outgoing.room();
        let reads = self.readable && (self.guest_down & down::RECEIVE) | (self.host_down & down::SEND) == 0;
        if reads && room > 0 {
            return Some(ToSend::Data(room));
        }
        // A guest that sends no more needs no credit.
        if self.incoming.worth_telling() && self.guest_down & down::SEND == 0 {
            return Some(ToSend::Word(Op::CreditUpdate));
        }
        if self.host_down & !self.told_down != 0 {
            return Some(ToSend::Word(Op::Shutdown));
        }
        (reads && !self.asked_credit).then_some(ToSend::Word(Op::CreditRequest))
    }

    /// Reads what the host program sent into guest memory: how many bytes. None where there are none now, or none
    /// ever again.
    pub fn read(&mut self, room: &Buffers) -> usize {
        loop {
            match room.read_from(self.stream.as_fd(), None) {
                Ok(0) => break,
                Ok(got) => {
                    // No more than the room that the guest has, which is a u32.
                    self.outgoing.send(got as u32);
                    return got;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return 0;
                }
                Err(_) => break,
            }
        }
        self.readable = false;
        self.host_down |= down::SEND;
        0
    }

    /// The header of a packet that is sent now, with `len` bytes behind it.
    pub fn say(&mut self, op: Op, len: u32) -> Header {
        let mut flags = 0;
        match op {
            Op::Request => self.stage = Stage::Called,
            Op::Response => self.stage = Stage::Open,
            Op::CreditUpdate => self.owes_credit = false,
            Op::CreditRequest => self.asked_credit = true,
            Op::Shutdown => {
                self.told_down = self.host_down;
                flags = self.host_down;
            }
            Op::Data | Op::Reset => {}
        }
        Header {
            src_cid: HOST_CID,
            dst_cid: self.guest_cid,
            src_port: self.ports.host,
            dst_port: self.ports.guest,
            len,
            kind: STREAM,
            op: Some(op),
            flags,
            buf_alloc: ROOM,
            fwd_cnt: self.incoming.tell(),
        }
    }
}

/// What came of writing to a host program.
enum Written {
    Some(usize),
    NotNow,
    Never,
}

fn writing(mut call: impl FnMut() -> io::Result<usize>) -> Written {
    loop {
        match call() {
            Ok(put) => return Written::Some(put),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::NotNow,
            Err(_) => return Written::Never,
        }
    }
}
