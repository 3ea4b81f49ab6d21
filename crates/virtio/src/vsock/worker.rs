//! The queues (VirtIO 1.3 § 5.10.6): packets of the guest to the exchange, and what the exchange has to say into the
//! buffers that the guest posts.
//!
//! Bytes cross with one system call a packet, or a batch of them, between guest memory and the socket. What a turn
//! brought the guest is told of with one interrupt a queue.
//!
//! § 5.10.6.1: packets of the guest are taken whether or not it has posted buffers for the answers. Only where very
//! many resets wait for buffers do its packets wait, too.

#![deny(clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use illico_memory::{Buffers, Short};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vmm_sys_util::epoll::EventSet;

use super::connection::ToSend;
use super::exchange::{Exchange, Turn};
use super::packet::{HEADER, Header, Op};
use crate::chain::Chain;
use crate::event_loop::{Fault, Polling, Source, Worker};
use crate::queue::{Position, Queue};

/// Sources, by number.
const RX_KICK: usize = 0;
const TX_KICK: usize = 1;
const SOCKETS: usize = 2;

/// Packets of one direction before others on the thread have their turn.
const PACKETS_A_TURN: usize = 64;

/// Buffers of the guest that one read fills at most. Linux posts a page each.
const MAX_CHAINS: usize = 32;

/// How long host programs may take for what they were sent when the device stops.
const PATIENCE: Duration = Duration::from_secs(1);

/// Works a device's queues.
pub(super) struct Exchanger {
    rx: Queue,
    tx: Queue,
    /// Held, so that the driver's buffers stay where they are.
    event: Option<Queue>,
    exchange: Exchange,
    /// Packets of the guest wait until it takes its resets.
    paused: bool,
    rx_kicks_wanted: bool,
    /// Buffers for the next read: how many the last one filled, and some more if that was all of them.
    appetite: usize,
    chains: Vec<(Chain, usize)>,
    room: Buffers,
    rest: Buffers,
}

impl Exchanger {
    pub(super) fn new(mut rx: Queue, tx: Queue, mut event: Option<Queue>, exchange: Exchange) -> Self {
        // Buffers for packets and for events are only worth a kick where something waits for them.
        rx.disable_kicks();
        event.iter_mut().for_each(Queue::disable_kicks);
        let (room, rest) = (Buffers::new(rx.ram().clone()), Buffers::new(rx.ram().clone()));
        Self {
            rx,
            tx,
            event,
            exchange,
            paused: false,
            rx_kicks_wanted: false,
            appetite: 1,
            chains: Vec::new(),
            room,
            rest,
        }
    }

    /// Both directions, with at most one interrupt each at the end.
    fn turn(&mut self) -> Result<Polling, Fault> {
        let taken = self.take()?;
        let delivered = self.deliver()?;
        self.exchange.accept();
        self.rx.signal();
        self.tx.signal();
        let resume = self.paused && !self.exchange.is_full();
        let again = resume || taken == Polling::Again || delivered == Polling::Again;
        Ok(if again { Polling::Again } else { Polling::Sleep })
    }

    /// Takes packets of the guest.
    fn take(&mut self) -> Result<Polling, Fault> {
        self.tx.disable_kicks();
        for _ in 0..PACKETS_A_TURN {
            self.paused = self.exchange.is_full();
            if self.paused {
                return Ok(Polling::Sleep);
            }
            let Some(mut chain) = self.tx.pop()? else {
                return Ok(if self.tx.enable_kicks() { Polling::Again } else { Polling::Sleep });
            };
            self.tx.count_from_guest(chain.readable.len() as u64);
            self.hand_over(&mut chain.readable);
            self.tx.complete(chain, 0);
        }
        Ok(Polling::Again)
    }

    /// One packet. Without a whole header it is dropped.
    fn hand_over(&mut self, packet: &mut Buffers) {
        let mut bytes = [0; HEADER];
        if packet.copy_to(0, &mut bytes).is_err() || packet.advance(HEADER).is_err() {
            return;
        }
        let header = Header::parse(&bytes);
        self.rest.clear();
        let whole = packet.split_off(header.len as usize, &mut self.rest).is_ok();
        self.exchange.receive(&header, whole.then_some(packet));
    }

    /// Sends what there is to be said, while there are buffers for it.
    fn deliver(&mut self) -> Result<Polling, Fault> {
        for _ in 0..PACKETS_A_TURN {
            let Some(turn) = self.exchange.turn() else { return Ok(Polling::Sleep) };
            let wanted = if matches!(turn, Turn::Connection(_, ToSend::Data(_))) { self.appetite } else { 1 };
            if !self.gather(wanted)? {
                return Ok(Polling::Sleep);
            }
            match turn {
                Turn::Reset(header) => {
                    self.exchange.reset_sent();
                    self.send(&header)?;
                }
                Turn::Connection(number, ToSend::Word(op)) => {
                    if let Some(header) = self.exchange.say(number, op, 0) {
                        self.send(&header)?;
                    }
                    self.exchange.pass();
                }
                Turn::Connection(number, ToSend::Data(room)) => {
                    self.carry(number, room)?;
                    self.exchange.pass();
                }
            }
        }
        Ok(Polling::Again)
    }

    /// Takes up to `wanted` buffers of the guest, and their room behind headers. `false` where there is none, and the
    /// guest was asked for a kick.
    fn gather(&mut self, wanted: usize) -> Result<bool, Fault> {
        self.room.clear();
        loop {
            while self.chains.len() < wanted {
                let Some(mut chain) = self.rx.pop()? else { break };
                self.rest.clear();
                let split = chain.writable.split_off(HEADER, &mut self.rest);
                if split.is_err() || self.rest.is_empty() {
                    return Err(Fault::new("a receive buffer has no room for a header and a byte"));
                }
                self.room.append(&self.rest);
                self.chains.push((chain, self.rest.len()));
            }
            if !self.chains.is_empty() {
                if std::mem::take(&mut self.rx_kicks_wanted) {
                    self.rx.disable_kicks();
                }
                return Ok(true);
            }
            self.rx_kicks_wanted = true;
            if !self.rx.enable_kicks() {
                return Ok(false);
            }
        }
    }

    /// Sends a packet without data.
    fn send(&mut self, header: &Header) -> Result<(), Fault> {
        if let Some((chain, _)) = self.chains.pop() {
            chain.writable.copy_from(0, &header.bytes()).map_err(fault)?;
            self.rx.complete(chain, HEADER as u32);
        }
        Ok(())
    }

    /// Reads from the socket of a connection into as many packets as it takes.
    fn carry(&mut self, number: u64, credit: u32) -> Result<(), Fault> {
        if self.room.len() > credit as usize {
            self.rest.clear();
            self.room.split_off(credit as usize, &mut self.rest).map_err(fault)?;
        }
        let mut left = self.exchange.read(number, &self.room);
        let filled = left == self.room.len();
        let mut used = 0;
        let mut chains = self.chains.drain(..);
        while left > 0
            && let Some((chain, room)) = chains.next()
        {
            let len = left.min(room);
            left -= len;
            used += 1;
            // Of a guest's buffers, which are shorter than 2^32 all together.
            if let Some(header) = self.exchange.say(number, Op::Data, len as u32) {
                chain.writable.copy_from(0, &header.bytes()).map_err(fault)?;
            }
            self.rx.stage(chain, (HEADER + len) as u32);
        }
        self.rx.publish();
        // From the last to the first, as each is put back behind the one before.
        chains.rev().for_each(|(chain, _)| self.rx.undo_pop(chain));
        self.appetite = if filled { (2 * used).clamp(1, MAX_CHAINS) } else { used.max(1) };
        Ok(())
    }
}

fn fault(short: Short) -> Fault {
    Fault::new(short.to_string())
}

impl Worker for Exchanger {
    fn sources(&self) -> Vec<Source> {
        vec![
            Source::readable(self.rx.kick()),
            Source::readable(self.tx.kick()),
            Source { fd: self.exchange.descriptor(), events: EventSet::IN },
        ]
    }

    fn ready(&mut self, source: usize) -> Result<Polling, Fault> {
        debug_assert!(matches!(source, RX_KICK | TX_KICK | SOCKETS));
        if source == SOCKETS {
            while self.exchange.host_events() {}
        }
        self.turn()
    }

    fn poll(&mut self) -> Result<Polling, Fault> {
        self.turn()
    }

    /// What the guest sent before it went, such as the last words of a program whose machine is off by now, reaches
    /// the host programs, if they take it.
    fn stop(&mut self) -> Vec<Position> {
        // A running guest could go on for ever; a ring of packets is what it can have sent before.
        for _ in 0..=usize::from(self.tx.size()) / PACKETS_A_TURN {
            if !matches!(self.take(), Ok(Polling::Again)) {
                break;
            }
        }
        let until = Instant::now() + PATIENCE;
        loop {
            while self.exchange.host_events() {}
            let mut sockets: Vec<_> =
                self.exchange.blocked().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
            let left = until.saturating_duration_since(Instant::now());
            if sockets.is_empty() || left.is_zero() {
                break;
            }
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let _ = poll(&mut sockets, Some(&left));
        }
        while let Some((chain, _)) = self.chains.pop() {
            self.rx.undo_pop(chain);
        }
        [&self.rx, &self.tx].into_iter().chain(&self.event).map(Queue::position).collect()
    }
}
