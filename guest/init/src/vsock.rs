//! Sockets of the family vsock, which rustix has no address for.

use std::os::fd::OwnedFd;

use illico_protocol::HOST_CID;
use rustix::io::{Errno, Result};
use rustix::net::SocketAddrAny;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect as connect_to, listen as listen_on, socket_with,
};

/// `struct sockaddr_vm` of include/uapi/linux/vm_sockets.h.
#[repr(C)]
struct SocketAddrVm {
    family: u16,
    reserved: u16,
    port: u32,
    cid: u32,
    flags: u8,
    zero: [u8; 3],
}

/// How many connections wait to be accepted. The kernel refuses more at once, where a queue would serve them all; it caps the number
/// at net.core.somaxconn, which is 4096.
const BACKLOG: i32 = 4096;

const VMADDR_CID_ANY: u32 = u32::MAX;

impl SocketAddrVm {
    fn new(cid: u32, port: u32) -> Self {
        Self { family: AddressFamily::VSOCK.as_raw(), reserved: 0, port, cid, flags: 0, zero: [0; 3] }
    }
}

// SAFETY: the closure gets a pointer to a whole `sockaddr_vm` that lives until it returns, and its size.
unsafe impl SocketAddrArg for SocketAddrVm {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        f(std::ptr::from_ref(self).cast(), size_of::<Self>() as SocketAddrLen)
    }
}

fn socket() -> Result<OwnedFd> {
    socket_with(AddressFamily::VSOCK, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

/// A connection that is being made: writable once it is there.
pub(crate) fn connect(cid: u32, port: u32) -> Result<OwnedFd> {
    let socket = socket()?;
    match connect_to(&socket, &SocketAddrVm::new(cid, port)) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// A listener on all CIDs of this guest. Whom a connection is from is for [`is_from_guest`] to say.
pub(crate) fn listen(port: u32) -> Result<OwnedFd> {
    let socket = socket()?;
    bind(&socket, &SocketAddrVm::new(VMADDR_CID_ANY, port))?;
    listen_on(&socket, BACKLOG)?;
    Ok(socket)
}

/// Whether a connection comes from this guest itself, by way of the loopback transport (CID 1, or the guest's own). What
/// the agent does for the host it must not do for any process in the guest, since it does it as root.
pub(crate) fn is_from_guest(peer: &SocketAddrAny) -> bool {
    if peer.address_family() != AddressFamily::VSOCK || (peer.addr_len() as usize) < size_of::<SocketAddrVm>() {
        return false;
    }
    // SAFETY: a `SocketAddrAny` owns `addr_len` initialised bytes at its pointer, and there are enough of them; any bytes
    // are a `SocketAddrVm`.
    let peer = unsafe { peer.as_ptr().cast::<SocketAddrVm>().read_unaligned() };
    peer.cid != HOST_CID
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(cid: u32) -> SocketAddrAny {
        let address = SocketAddrVm::new(cid, 1024);
        let length = size_of::<SocketAddrVm>() as SocketAddrLen;
        // SAFETY: the pointer is to a whole address of this length.
        unsafe { SocketAddrAny::read(std::ptr::from_ref(&address).cast(), length) }
    }

    #[test]
    fn only_the_host_is_served() {
        assert!(!is_from_guest(&address(HOST_CID)));
        for cid in [0, 1, 3, 4, VMADDR_CID_ANY] {
            assert!(is_from_guest(&address(cid)), "CID {cid}");
        }
    }
}
