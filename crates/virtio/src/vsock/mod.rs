//! The socket device (VirtIO 1.3 § 5.10): streams between programs of the guest and of the host, with no network.
//!
//! On the host they are unix sockets. A program that connects to the device's socket and says `CONNECT PORT` reaches
//! whoever listens at that port in the guest; a connection of the guest to the host's port P goes to the socket
//! `PATH_P`. All of it is in this process: no vhost, no rights.
//!
//! - `packet.rs`: headers; `credit.rs`: flow control; `connection.rs`: one stream; `exchange.rs`: all of them;
//! - `greeting.rs`: the line that a host program begins with; `socket.rs`: names in the file system;
//! - `worker.rs`: the queues, and the copying between them and sockets.
//!
//! Streams only. The event queue (§ 5.10.6.7) is there and stays silent: connections die with the machine.

pub mod connection;
pub mod credit;
mod exchange;
pub mod greeting;
pub mod packet;
mod socket;
mod spec;
mod worker;

use std::sync::Arc;

pub use spec::{VsockError, VsockSpec};

use self::exchange::Exchange;
use self::socket::Listener;
use self::worker::Exchanger;
use crate::device::{Activation, Device, DeviceError, DeviceSpec};
use crate::event_loop::{Fault, Worker};
use crate::socket_file::SocketFile;
use crate::spec::Kind;

/// § 5.10.3: streams.
const F_STREAM: u64 = 1 << 0;

/// Entries of rx and tx. Linux fills the first with buffers of a page.
const QUEUE_SIZE: u16 = 256;
/// Entries of the event queue.
const EVENT_QUEUE_SIZE: u16 = 8;

/// What this device is.
const KIND: Kind = Kind { id: 19, name: "vsock", pci_class: [0x07, 0x80, 0x00] };

/// A vsock device at rest.
#[derive(Debug)]
pub struct Vsock {
    cid: u32,
    listener: Arc<Listener>,
    /// Until the machine takes it.
    file: Option<SocketFile>,
}

impl Vsock {
    /// Listens at the spec's path. The socket file lives for as long as what is returned beside the device.
    pub fn open(spec: &VsockSpec) -> Result<(Self, SocketFile), VsockError> {
        spec.check()?;
        let (listener, file) = Listener::open(spec)?;
        Ok((Self { cid: spec.cid, listener: Arc::new(listener), file: None }, file))
    }
}

impl DeviceSpec for VsockSpec {
    fn open(&self, _name: &str) -> Result<Box<dyn Device>, DeviceError> {
        let (device, file) = Vsock::open(self)?;
        Ok(Box::new(Vsock { file: Some(file), ..device }))
    }
}

impl Device for Vsock {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        "vsock"
    }

    fn features(&self) -> u64 {
        F_STREAM
    }

    /// § 5.10.2: rx, tx, event.
    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE, QUEUE_SIZE, EVENT_QUEUE_SIZE]
    }

    /// § 5.10.4: `guest_cid`.
    fn config(&self) -> Vec<u8> {
        u64::from(self.cid).to_le_bytes().to_vec()
    }

    fn take_socket(&mut self) -> Option<SocketFile> {
        self.file.take()
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        let (rx, tx) = (activation.take_queue(0)?, activation.take_queue(1)?);
        let event = activation.queues.get_mut(2).and_then(Option::take);
        let exchange = Exchange::new(self.cid.into(), Arc::clone(&self.listener));
        let exchange = exchange.map_err(|error| Fault::new(format!("watching the host's sockets: {error}")))?;
        Ok(vec![Box::new(Exchanger::new(rx, tx, event, exchange))])
    }
}

#[cfg(test)]
#[path = "vsock_test.rs"]
mod tests;

#[cfg(test)]
mod testkit;

#[cfg(test)]
mod model_test;
