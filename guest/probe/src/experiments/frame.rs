//! The four Ethernet frames that `net` sends and looks for: ARP (RFC 826) and ICMP echo (RFC 792) in IPv4 (RFC 791).

use core::fmt;
use core::net::Ipv4Addr;

pub(super) type Mac = [u8; 6];

const BROADCAST: Mac = [0xff; 6];
const ARP: [u8; 2] = [0x08, 0x06];
const IPV4: [u8; 2] = [0x08, 0x00];
/// Ethernet and IPv4 addresses, 6 and 4 bytes.
const ARP_KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ICMP: u8 = 1;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const IDENTIFIER: [u8; 2] = *b"pr";
const ETHERNET: usize = 14;
const IP: usize = 20;
/// With 32 bytes of payload, above Ethernet's least.
const ECHO: usize = 8 + 32;
const LONGEST: usize = ETHERNET + IP + ECHO;

pub(super) struct Frame {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Frame {
    fn new(to: Mac, from: Mac, kind: [u8; 2]) -> Self {
        let mut frame = Self { bytes: [0; LONGEST], length: 0 };
        frame.push(&to).push(&from).push(&kind);
        frame
    }

    fn push(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
        self
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A hardware address as people write it.
pub(super) struct Readable(pub(super) Mac);

impl fmt::Display for Readable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// What a received frame may be.
pub(super) enum Seen {
    EchoReply,
    ArpRequest(Mac),
}

fn arp(to: Mac, operation: u8, from: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Frame {
    let mut frame = Frame::new(to, from.0, ARP);
    frame.push(&ARP_KIND).push(&[0, operation]);
    frame.push(&from.0).push(&from.1.octets()).push(&target.0).push(&target.1.octets());
    frame
}

pub(super) fn arp_request(mac: Mac, ours: Ipv4Addr, peer: Ipv4Addr) -> Frame {
    arp(BROADCAST, REQUEST, (mac, ours), ([0; 6], peer))
}

pub(super) fn arp_answer(mac: Mac, ours: Ipv4Addr, to: Mac, peer: Ipv4Addr) -> Frame {
    arp(to, REPLY, (mac, ours), (to, peer))
}

/// Sender of an ARP frame of this operation.
fn arp_sender(frame: &[u8], operation: u8) -> Option<(Mac, Ipv4Addr, Ipv4Addr)> {
    if frame.get(12..14)? != ARP || frame.get(14..22)? != [0, 1, 8, 0, 6, 4, 0, operation] {
        return None;
    }
    let mac: Mac = frame.get(22..28)?.try_into().ok()?;
    let sender: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
    let target: [u8; 4] = frame.get(38..42)?.try_into().ok()?;
    Some((mac, sender.into(), target.into()))
}

/// The hardware address of `peer`, if the frame says it.
pub(super) fn arp_reply(frame: &[u8], peer: Ipv4Addr) -> Option<Mac> {
    arp_sender(frame, REPLY).filter(|(_, sender, _)| *sender == peer).map(|(mac, ..)| mac)
}

/// One's complement of the one's complement sum (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(high) << 8,
            _ => 0,
        })
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (!((folded & 0xffff) + (folded >> 16)) as u16).to_be_bytes()
}

pub(super) fn echo_request(from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr), sequence: u16) -> Frame {
    let mut frame = Frame::new(to.0, from.0, IPV4);
    let length = ((IP + ECHO) as u16).to_be_bytes();
    frame.push(&[0x45, 0]).push(&length).push(&[0, 0, 0, 0, 64, ICMP, 0, 0]);
    frame.push(&from.1.octets()).push(&to.1.octets());
    frame.push(&[ECHO_REQUEST, 0, 0, 0]).push(&IDENTIFIER).push(&sequence.to_be_bytes()).push(&[0x5a; ECHO - 8]);
    let header = checksum(&frame.bytes[ETHERNET..ETHERNET + IP]);
    frame.bytes[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&header);
    let message = checksum(&frame.bytes[ETHERNET + IP..frame.length]);
    frame.bytes[ETHERNET + IP + 2..ETHERNET + IP + 4].copy_from_slice(&message);
    frame
}

/// Whether a frame is the answer to echo request `sequence`, or asks for the address `ours`.
pub(super) fn seen(frame: &[u8], ours: Ipv4Addr, sequence: u16) -> Option<Seen> {
    if let Some((mac, _, target)) = arp_sender(frame, REQUEST) {
        return (target == ours).then_some(Seen::ArpRequest(mac));
    }
    if frame.get(12..14)? != IPV4 || *frame.get(ETHERNET + 9)? != ICMP || *frame.get(ETHERNET)? != 0x45 {
        return None;
    }
    let message = frame.get(ETHERNET + IP..)?;
    let ours = *message.first()? == ECHO_REPLY
        && message.get(4..6)? == IDENTIFIER
        && message.get(6..8)? == sequence.to_be_bytes();
    ours.then_some(Seen::EchoReply)
}
