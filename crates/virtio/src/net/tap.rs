//! A tap of the host as a port: opened, never made. Its name must be there already, and nothing is left
//! behind when it is closed.
//!
//! The calls follow `linux/if_tun.h`. A tap without `IFF_NO_PI` or with a header of another length
//! would not carry the frames of § 5.1.6.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;

use super::HEADER;
use super::feature::Offloads;
use super::port::Port;

/// A tap cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// Not what an interface can be called.
    #[error("an interface has a name of 1 to 15 letters, digits and signs other than / : and %")]
    Name,
    /// No such interface.
    #[error("there is no such interface; make it: ip tuntap add dev {name} mode tap && ip link set {name} up")]
    Missing {
        /// The name.
        name: String,
    },
    /// The device node of the kernel's tun driver.
    #[error("opening {NODE} for reading and writing (modprobe tun, and be root or the owner of the node)")]
    Node(#[source] io::Error),
    /// The interface is there and does not fit.
    #[error("it is not a tap")]
    NotATap,
    /// The interface has one queue, or is no tap at all.
    #[error("it is not a tap with several queues; make it: ip tuntap add dev NAME mode tap multi_queue")]
    NotSeveral,
    /// Another program has it, another machine perhaps.
    #[error("it is in use by another program")]
    Busy,
    /// No right to it.
    #[error("no permission; be root, or own it: ip tuntap add dev NAME mode tap user USER")]
    Permission,
    /// Something else.
    #[error("{what}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

const NODE: &str = "/dev/net/tun";

/// One queue of a tap.
#[derive(Debug)]
pub(super) struct Tap(File);

/// An open tap and what it is like.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) taps: Vec<Tap>,
    pub(super) mtu: u16,
    /// It takes and gives UDP segments.
    pub(super) uso: bool,
}

/// Opens `queues` queues of the tap `name`.
pub(super) fn open(name: &str, queues: u16) -> Result<Opened, TapError> {
    let odd = |byte: u8| !byte.is_ascii_graphic() || b"/:%".contains(&byte);
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.bytes().any(odd) {
        return Err(TapError::Name);
    }
    // TUNSETIFF makes a tap where there is none, if it may. One that disappears just now would be made
    // again, and would be gone with this process.
    let mtu = mtu(name).map_err(|error| match error.raw_os_error() {
        Some(libc::ENODEV) => TapError::Missing { name: name.to_owned() },
        _ => TapError::Kernel { what: "asking for its MTU", source: error },
    })?;
    // A tap that was made with `multi_queue` wants to hear so, for one queue too.
    let first = match Tap::attach(name, queues > 1) {
        Err(TapError::NotATap) => match queues {
            1 => Tap::attach(name, true)?,
            _ => return Err(TapError::NotSeveral),
        },
        other => other?,
    };
    let mut taps = vec![first];
    for _ in 1..queues {
        taps.push(Tap::attach(name, true)?);
    }
    let kernel = |what| move |source| TapError::Kernel { what, source };
    let length = HEADER as libc::c_int;
    // SAFETY: TUNSETVNETHDRSZ reads an int, which lives until the call returns.
    let done = unsafe { libc::ioctl(taps[0].0.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const length) };
    checked(done).map_err(kernel("setting the length of its header"))?;
    let all = Offloads { checksum: true, tso4: true, tso6: true, ecn: true, uso: true };
    let uso = taps[0].set_offloads(all).is_ok();
    // Until the driver agrees to more, frames are as on the wire.
    taps[0].set_offloads(Offloads::default()).map_err(kernel("setting its offloads"))?;
    Ok(Opened { taps, mtu, uso })
}

impl Tap {
    fn attach(name: &str, multi_queue: bool) -> Result<Self, TapError> {
        let node = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(NODE);
        let node = node.map_err(TapError::Node)?;
        let several = if multi_queue { libc::IFF_MULTI_QUEUE } else { 0 };
        let mut request = request(name, libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | several);
        // SAFETY: TUNSETIFF reads and writes an ifreq, which lives until the call returns.
        let done = unsafe { libc::ioctl(node.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        checked(done).map_err(|source| match source.raw_os_error() {
            Some(libc::EINVAL) => TapError::NotATap,
            Some(libc::EBUSY) => TapError::Busy,
            Some(libc::EPERM) => TapError::Permission,
            _ => TapError::Kernel { what: "attaching to it", source },
        })?;
        Ok(Self(node))
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Port for Tap {
    fn set_offloads(&self, offloads: Offloads) -> io::Result<()> {
        let Offloads { checksum, tso4, tso6, ecn, uso } = offloads;
        let bits = [
            (checksum, libc::TUN_F_CSUM),
            (tso4, libc::TUN_F_TSO4),
            (tso6, libc::TUN_F_TSO6),
            (ecn, libc::TUN_F_TSO_ECN),
            (uso, libc::TUN_F_USO4 | libc::TUN_F_USO6),
        ];
        let flags = bits.into_iter().filter(|(on, _)| *on).fold(0, |flags, (_, bit)| flags | bit);
        // SAFETY: TUNSETOFFLOAD takes its bits as a number.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(flags)) })
    }

    fn set_attached(&self, attached: bool) -> io::Result<()> {
        let request = request("", if attached { libc::IFF_ATTACH_QUEUE } else { libc::IFF_DETACH_QUEUE });
        // SAFETY: TUNSETQUEUE reads an ifreq, which lives until the call returns.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TUNSETQUEUE, &raw const request) })
    }
}

/// The MTU of an interface, `ENODEV` where there is none of this name.
fn mtu(name: &str) -> io::Result<u16> {
    let mut request = request(name, 0);
    // Any socket answers for interfaces.
    let socket = UnixDatagram::unbound()?;
    // SAFETY: SIOCGIFMTU reads the name of an ifreq and writes the rest; it lives until the call returns.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) })?;
    // SAFETY: SIOCGIFMTU has just filled in this member of the union, and every bit pattern is an int.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
}

/// A request about the interface `name`, which was checked to fit.
fn request(name: &str, flags: libc::c_int) -> libc::ifreq {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    for (to, from) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // The bits that there are fit in the 16 that the request has.
    libc::ifreq { ifr_name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags as libc::c_short } }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
#[path = "tap_test.rs"]
mod tests;
