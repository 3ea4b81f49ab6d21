//! `net[=N]`: asks by ARP for `probe.peer=` (default 192.168.127.1) as `probe.ip=` (192.168.127.2), then sends it N
//! ICMP echo requests, one after the other. Frames by `virtio-drivers`, which offers no offloads.

use core::net::Ipv4Addr;

use alloc::vec::Vec;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::Transport;

use super::frame::{self, Frame, Mac};
use super::{Failure, Outcome};
use crate::command_line::CommandLine;
use crate::device::Kind;
use crate::dma::Identity;
use crate::gate::cycles;
use crate::machine::Machine;
use crate::patience::Patience;
use crate::say;

const QUEUE: usize = 16;
const BUFFERS: usize = 8;
const BUFFER: usize = 2048;
const PATIENCE_SECONDS: u64 = 2;
const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 127, 2);
const PEER_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 127, 1);

struct Port<T: Transport> {
    driver: VirtIONetRaw<Identity, T, QUEUE>,
    buffers: Vec<(Option<u16>, [u8; BUFFER])>,
}

impl<T: Transport> Port<T> {
    fn open(transport: T) -> Result<Self, Failure> {
        let mut port = Self { driver: VirtIONetRaw::new(transport)?, buffers: Vec::new() };
        port.buffers.resize(BUFFERS, (None, [0; BUFFER]));
        for (token, buffer) in &mut port.buffers {
            // SAFETY: the buffers stay where they are until the device is reset, and are not touched before it is done.
            *token = Some(unsafe { port.driver.receive_begin(buffer) }?);
        }
        Ok(port)
    }

    fn send(&mut self, frame: &Frame) -> Result<(), Failure> {
        let mut buffer = [0; BUFFER];
        let header = self.driver.fill_buffer_header(&mut buffer)?;
        let end = header + frame.bytes().len();
        buffer[header..end].copy_from_slice(frame.bytes());
        // SAFETY: `transmit_complete` below is waited for before the buffer is touched again.
        let token = unsafe { self.driver.transmit_begin(&buffer[..end]) }?;
        let sent = Patience::of_seconds(PATIENCE_SECONDS).wait(|| self.driver.poll_transmit());
        sent.ok_or(Failure("not-sent"))?;
        // SAFETY: the same buffer.
        unsafe { self.driver.transmit_complete(token, &buffer[..end]) }?;
        Ok(())
    }

    /// Hands the next received frame to `look`, and the buffer back to the device.
    fn receive<R>(&mut self, look: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        let token = self.driver.poll_receive()?;
        let (at, buffer) = self.buffers.iter_mut().find(|(at, _)| *at == Some(token))?;
        // SAFETY: this is the buffer that went with the token.
        let (header, length) = unsafe { self.driver.receive_complete(token, buffer) }.ok()?;
        let result = buffer.get(header..header + length).and_then(look);
        // SAFETY: as in `open`.
        *at = unsafe { self.driver.receive_begin(buffer) }.ok();
        result
    }
}

pub(super) fn run(machine: &Machine, count: Option<u64>) -> Outcome {
    let ours = address(machine.command_line, "ip", OUR_ADDRESS);
    let peer = address(machine.command_line, "peer", PEER_ADDRESS);
    let mut port = Port::open(machine.transport(Kind::NET, 0)?)?;
    let mac: Mac = port.driver.mac_address();
    port.send(&frame::arp_request(mac, ours, peer))?;
    let answer = Patience::of_seconds(PATIENCE_SECONDS)
        .wait(|| port.receive(|bytes| frame::arp_reply(bytes, peer)))
        .ok_or(Failure("no-arp-reply"))?;
    say!("net mac={} peer={peer} peer_mac={}", frame::Readable(mac), frame::Readable(answer));

    let count = count.unwrap_or(10);
    let mut answered = 0;
    let before = cycles();
    for sequence in 0..count {
        port.send(&frame::echo_request((mac, ours), (answer, peer), sequence as u16))?;
        let reply = Patience::of_seconds(PATIENCE_SECONDS).wait(|| {
            // The peer may ask who we are before it answers.
            let seen = port.receive(|bytes| frame::seen(bytes, ours, sequence as u16))?;
            match seen {
                frame::Seen::EchoReply => Some(true),
                frame::Seen::ArpRequest(from) => {
                    let sent = port.send(&frame::arp_answer(mac, ours, from, peer));
                    sent.is_err().then_some(false)
                }
            }
        });
        answered += u64::from(reply == Some(true));
    }
    let spent = cycles().wrapping_sub(before);
    say!("net pings={count} answered={answered} cycles={spent}");
    Ok(())
}

fn address(command_line: CommandLine, key: &str, otherwise: Ipv4Addr) -> Ipv4Addr {
    command_line.option(key).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
