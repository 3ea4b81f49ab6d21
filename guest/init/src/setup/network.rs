//! Interfaces: loopback, and the network card if there is one.

use std::fs;
use std::io;

use illico_protocol::Network;
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketType, socket};

use crate::error::InitError;
use crate::setup::netlink::{Netlink, address, default_route, raise};

/// The kernel gives loopback the first index of every network namespace.
const LOOPBACK: u32 = 1;

pub(crate) fn raise_loopback(netlink: &Netlink) -> Result<(), InitError> {
    netlink.ask(&raise(LOOPBACK, None)).map_err(InitError::os("raise the interface", "lo"))
}

pub(crate) fn raise_card(netlink: &Netlink, network: &Network) -> Result<(), InitError> {
    let name = &network.interface;
    let index = index_of(name).map_err(InitError::os("find the network card", name))?;
    if !network.addresses.iter().any(|address| address.ip.is_ipv6()) {
        // Otherwise the kernel asks the network for routers and announces itself: packets, and so exits, for nothing.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
    }
    netlink.ask(&raise(index, network.mtu)).map_err(InitError::os("raise the interface", name))?;
    for &given in &network.addresses {
        let what = format_args!("{}/{} to {name}", given.ip, given.prefix).to_string();
        netlink.ask(&address(index, given)).map_err(InitError::os("give the address", what))?;
    }
    for &gateway in &network.gateways {
        netlink.ask(&default_route(index, gateway)).map_err(InitError::os("route everything to", gateway))?;
    }
    Ok(())
}

/// Everything that the spec asks for.
pub(crate) fn raise_all(network: Option<&Network>) -> Result<(), InitError> {
    let netlink = Netlink::open().map_err(InitError::os("open", "a netlink socket"))?;
    raise_loopback(&netlink)?;
    network.map_or(Ok(()), |network| raise_card(&netlink, network))
}

fn index_of(name: &str) -> io::Result<u32> {
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    Ok(name_to_index(&any, name)?)
}
