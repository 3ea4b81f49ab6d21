//! All connections of a device: by their ports for the guest, by a number for the host's kernel, and in turn for the
//! buffers that the guest posts.
//!
//! Everything is bounded: [`MAX_CONNECTIONS`], those included that have not said where they want to go or that the
//! guest has forgotten; one place in the line for each; and so many resets for packets that belong to none, until the
//! guest takes some.
//!
//! The guest has [`MAX_FROM_GUEST`] of the connections, whatever becomes of them. The rest is kept for host programs: no
//! program in the guest can keep `exec`, `cp` or `stop` out. Beyond that host programs wait in the socket's backlog.

#![deny(clippy::indexing_slicing)]

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use illico_memory::Buffers;
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

use super::connection::{Connection, Disposition, Ports, ToSend};
use super::greeting::{self, Greeting};
use super::packet::{HOST_CID, Header, Op, STREAM};
use super::socket::Listener;

/// Connections at most. Each has one descriptor, and most processes may have 1024 of those.
pub(super) const MAX_CONNECTIONS: usize = 768;

/// Connections at most that the guest began, among them those that it has forgotten and whose last bytes wait for a host
/// program.
pub(super) const MAX_FROM_GUEST: usize = 256;
const _: () = assert!(MAX_FROM_GUEST < MAX_CONNECTIONS);

/// Resets that wait for buffers of the guest before its packets do.
const MAX_RESETS: usize = 256;

/// Ports of the host for connections that start there: out of the way of those that programs choose.
const FIRST_PORT: u32 = 1 << 30;

/// The listener's number; connections count from 1 on, and no number is used twice.
const LISTENER: u64 = 0;

/// What is sent to the guest next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// A reset for a packet that belonged to no connection.
    Reset(Header),
    /// A connection.
    Connection(u64, ToSend),
}

enum Member {
    /// Has not said yet which port it wants.
    Caller(UnixStream),
    Connection {
        connection: Box<Connection>,
        watch: Watch,
        from_guest: bool,
    },
}

/// What of a connection is noted elsewhere.
#[derive(Default)]
struct Watch {
    /// It stands in the line for the guest's buffers.
    queued: bool,
    /// The kernel was asked to say when its socket takes bytes again.
    for_room: bool,
}

/// Connections, and what they wait for.
pub(super) struct Exchange {
    guest_cid: u64,
    listener: Arc<Listener>,
    epoll: Epoll,
    members: HashMap<u64, Member>,
    by_ports: HashMap<Ports, u64>,
    next_number: u64,
    next_port: u32,
    resets: VecDeque<Header>,
    /// Members that the guest began.
    from_guest: usize,
    line: VecDeque<u64>,
    /// Programs may wait to be accepted.
    callers_wait: bool,
}

impl Exchange {
    pub(super) fn new(guest_cid: u64, listener: Arc<Listener>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let event = EpollEvent::new(EventSet::IN | EventSet::EDGE_TRIGGERED, LISTENER);
        epoll.ctl(ControlOperation::Add, listener.socket.as_raw_fd(), event)?;
        Ok(Self {
            guest_cid,
            listener,
            epoll,
            members: HashMap::new(),
            by_ports: HashMap::new(),
            next_number: LISTENER + 1,
            next_port: FIRST_PORT,
            resets: VecDeque::new(),
            from_guest: 0,
            line: VecDeque::new(),
            callers_wait: false,
        })
    }

    /// Readable while a socket has something to say.
    pub(super) fn descriptor(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    /// Whether packets of the guest must wait until it takes what it was answered.
    pub(super) fn is_full(&self) -> bool {
        self.resets.len() >= MAX_RESETS
    }

    /// Takes a packet of the guest. `payload` is what lies behind the header, if all of it is there.
    pub(super) fn receive(&mut self, header: &Header, payload: Option<&mut Buffers>) {
        // A forged source gets no answer, since the answer would go to the real owner of that id.
        if header.src_cid != self.guest_cid {
            return;
        }
        let ports = Ports { host: header.dst_port, guest: header.src_port };
        let known = self.by_ports.get(&ports).copied().filter(|_| header.dst_cid == HOST_CID && header.kind == STREAM);
        if let Some(number) = known {
            self.with(number, |connection| connection.receive(header, payload));
        } else if header.op != Some(Op::Request) || !self.guest_calls(ports, header) {
            self.resets.extend(header.refusal());
        }
    }

    /// The guest wants a connection. `false` where it cannot have it.
    fn guest_calls(&mut self, ports: Ports, request: &Header) -> bool {
        if request.dst_cid != HOST_CID || request.kind != STREAM {
            return false;
        }
        if self.from_guest >= MAX_FROM_GUEST || self.members.len() >= MAX_CONNECTIONS {
            return false;
        }
        let Ok(stream) = self.listener.connect(ports.host) else { return false };
        let Ok(number) = self.watch(&stream) else { return false };
        let connection = Connection::answering(stream, ports, request);
        self.by_ports.insert(ports, number);
        self.join(number, connection, true);
        self.with(number, |_| Disposition::Stays);
        true
    }

    /// Looks at what the host's sockets have to say. `true` where there may be more.
    pub(super) fn host_events(&mut self) -> bool {
        let mut events = [EpollEvent::default(); 32];
        // An error would be one of ours or a signal: there is another look.
        let count = self.epoll.wait(0, &mut events).unwrap_or(0);
        for event in events.iter().take(count) {
            match event.data() {
                LISTENER => self.callers_wait = true,
                number => self.host_event(number, event.event_set()),
            }
        }
        let known = self.next_number;
        self.accept();
        // A program that was just accepted has most likely sent something already.
        count == events.len() || self.next_number != known
    }

    fn host_event(&mut self, number: u64, set: EventSet) {
        let gone = set.intersects(EventSet::HANG_UP | EventSet::ERROR);
        if let Some(Member::Caller(stream)) = self.members.get(&number) {
            match greeting::read(stream) {
                Greeting::Port(port) if !gone => self.host_calls(number, port),
                Greeting::Unfinished if !set.intersects(EventSet::READ_HANG_UP | EventSet::HANG_UP) => {}
                _ => self.leave(number),
            }
            return;
        }
        self.with(number, |connection| {
            connection.host_may_have_sent();
            if gone {
                connection.host_hung_up()
            } else if set.contains(EventSet::OUT) {
                connection.flush()
            } else {
                Disposition::Stays
            }
        });
    }

    /// A host program has said which port of the guest it wants.
    fn host_calls(&mut self, number: u64, guest: u32) {
        let Some(Member::Caller(stream)) = self.members.remove(&number) else { return };
        let ports = loop {
            let ports = Ports { host: self.next_port, guest };
            self.next_port = self.next_port.wrapping_add(1).max(FIRST_PORT);
            // There are more ports than connections.
            if !self.by_ports.contains_key(&ports) {
                break ports;
            }
        };
        let connection = Connection::calling(stream, ports, self.guest_cid);
        self.by_ports.insert(ports, number);
        self.join(number, connection, false);
        self.with(number, |_| Disposition::Stays);
    }

    fn join(&mut self, number: u64, connection: Connection, from_guest: bool) {
        self.from_guest += usize::from(from_guest);
        let watch = Watch::default();
        self.members.insert(number, Member::Connection { connection: Box::new(connection), watch, from_guest });
    }

    /// Ends a member. Nothing of it stays: not its place in the line either, which might never come to the front while
    /// the guest posts no buffers.
    fn leave(&mut self, number: u64) {
        if let Some(Member::Connection { watch, from_guest, .. }) = self.members.remove(&number) {
            self.from_guest -= usize::from(from_guest);
            if watch.queued {
                self.line.retain(|&other| other != number);
            }
        }
    }

    /// Accepts programs while there is room for them.
    pub(super) fn accept(&mut self) {
        while self.callers_wait && self.members.len() < MAX_CONNECTIONS {
            match self.listener.accept() {
                Ok(stream) => {
                    if let Ok(number) = self.watch(&stream) {
                        self.members.insert(number, Member::Caller(stream));
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.callers_wait = false,
                // No descriptors left, for example: waiting programs are accepted at a later turn.
                Err(_) => return,
            }
        }
    }

    fn watch(&mut self, stream: &UnixStream) -> io::Result<u64> {
        let number = self.next_number;
        self.epoll.ctl(ControlOperation::Add, stream.as_raw_fd(), interest(number, false))?;
        self.next_number += 1;
        Ok(number)
    }

    /// Lets something happen to a connection and sees to what follows from it.
    fn with(&mut self, number: u64, act: impl FnOnce(&mut Connection) -> Disposition) {
        let Some(Member::Connection { connection, watch, .. }) = self.members.get_mut(&number) else { return };
        let verdict = act(connection);
        if verdict != Disposition::Stays {
            let ports = connection.ports();
            // One that lingers is known by its number only, and its ports may be another's by now.
            if self.by_ports.get(&ports) == Some(&number) {
                self.by_ports.remove(&ports);
                if verdict == Disposition::Reset {
                    self.resets.push_back(connection.say(Op::Reset, 0));
                }
            }
            if !connection.linger() {
                self.leave(number);
                return;
            }
        }
        let for_room = connection.is_blocked();
        let fd = connection.stream().as_raw_fd();
        // The kernel also says so if there is room already. A failure would be one of ours: asked again next time.
        if for_room != watch.for_room
            && self.epoll.ctl(ControlOperation::Modify, fd, interest(number, for_room)).is_ok()
        {
            watch.for_room = for_room;
        }
        if connection.due().is_some() && !watch.queued {
            watch.queued = true;
            self.line.push_back(number);
        }
    }

    /// What is sent next. Stays the same until it was sent, or `pass`ed.
    pub(super) fn turn(&mut self) -> Option<Turn> {
        if let Some(&reset) = self.resets.front() {
            return Some(Turn::Reset(reset));
        }
        while let Some(&number) = self.line.front() {
            if let Some(Member::Connection { connection, watch, .. }) = self.members.get_mut(&number) {
                if let Some(due) = connection.due() {
                    return Some(Turn::Connection(number, due));
                }
                watch.queued = false;
            }
            self.line.pop_front();
        }
        None
    }

    /// The reset at the front was sent.
    pub(super) fn reset_sent(&mut self) {
        self.resets.pop_front();
    }

    /// The header of the packet that the connection at the front sends now. Then it is the turn of the next.
    pub(super) fn say(&mut self, number: u64, op: Op, len: u32) -> Option<Header> {
        match self.members.get_mut(&number) {
            Some(Member::Connection { connection, .. }) => Some(connection.say(op, len)),
            _ => None,
        }
    }

    /// Reads what the host program of a connection sent.
    pub(super) fn read(&mut self, number: u64, room: &Buffers) -> usize {
        match self.members.get_mut(&number) {
            Some(Member::Connection { connection, .. }) => connection.read(room),
            _ => 0,
        }
    }

    /// It is the turn of the next connection.
    pub(super) fn pass(&mut self) {
        if let Some(number) = self.line.pop_front() {
            self.line.push_back(number);
        }
    }

    /// The sockets that have not taken everything yet.
    pub(super) fn blocked(&self) -> impl Iterator<Item = &UnixStream> {
        self.members.values().filter_map(|member| match member {
            Member::Connection { connection, .. } => connection.is_blocked().then_some(connection.stream()),
            Member::Caller(_) => None,
        })
    }
}

/// What is watched of a connection. A socket that has room says so each time that its reader reads, so it is only
/// asked while something waits for room.
fn interest(number: u64, room: bool) -> EpollEvent {
    let events = EventSet::IN | EventSet::READ_HANG_UP | EventSet::EDGE_TRIGGERED;
    EpollEvent::new(if room { events | EventSet::OUT } else { events }, number)
}

#[cfg(test)]
#[path = "exchange_test.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
