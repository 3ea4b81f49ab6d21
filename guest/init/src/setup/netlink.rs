//! Requests to the kernel's routing socket, byte by byte: rtnetlink(7), include/uapi/linux/{netlink,rtnetlink}.h.
//!
//! Only what raises an interface: flags, addresses, default routes.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use illico_protocol::Address;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_REPLACE: u16 = 0x100;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;

const IFF_UP: u32 = 1;
const IFLA_MTU: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_F_NODAD: u8 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RTN_UNICAST: u8 = 1;
const RTNH_F_ONLINK: u32 = 4;

const HEADER: usize = 16;

/// The socket.
#[derive(Debug)]
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        let family = AddressFamily::NETLINK;
        // Protocol 0 is NETLINK_ROUTE.
        Ok(Self(socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?))
    }

    /// Sends a request and reads what the kernel makes of it.
    pub(crate) fn ask(&self, request: &[u8]) -> io::Result<()> {
        send(&self.0, request, SendFlags::empty())?;
        let mut answer = [0_u8; 4096];
        let (len, _) = recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        match verdict(&answer[..len.min(4096)]) {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno.saturating_neg())),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// The error number of an acknowledgement, negative or 0.
fn verdict(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    let error = i32::from_ne_bytes(*answer.get(HEADER..)?.first_chunk()?);
    (kind == NLMSG_ERROR).then_some(error)
}

/// Raises the interface, with this MTU.
pub(crate) fn raise(index: u32, mtu: Option<u32>) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    if let Some(mtu) = mtu {
        attribute(&mut body, IFLA_MTU, &mtu.to_ne_bytes());
    }
    message(RTM_NEWLINK, 0, &body)
}

/// Gives the interface an address, without duplicate address detection: the network has only this guest and its host.
pub(crate) fn address(index: u32, address: Address) -> Vec<u8> {
    let mut body = vec![family(address.ip), address.prefix, IFA_F_NODAD, RT_SCOPE_UNIVERSE];
    body.extend(index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &octets(address.ip));
    attribute(&mut body, IFA_ADDRESS, &octets(address.ip));
    if let (IpAddr::V4(ip), prefix @ 0..31) = (address.ip, address.prefix) {
        let broadcast = ip.to_bits() | u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        attribute(&mut body, IFA_BROADCAST, &broadcast.to_be_bytes());
    }
    message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body)
}

/// A default route, to a gateway that may lie outside of the interface's own network.
pub(crate) fn default_route(index: u32, gateway: IpAddr) -> Vec<u8> {
    let mut body = vec![family(gateway), 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST];
    body.extend(RTNH_F_ONLINK.to_ne_bytes());
    attribute(&mut body, RTA_GATEWAY, &octets(gateway));
    attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
    message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body)
}

fn family(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    family.as_raw() as u8
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend((value.len() as u16 + 4).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    // Sequence number, and the sender, which the kernel fills in.
    out.extend([0; 8]);
    out.extend(body);
    out
}

#[cfg(test)]
#[path = "netlink_test.rs"]
mod tests;
