//! The network device (VirtIO 1.3 § 5.1): an Ethernet card plugged into a tap of the host, or into a stream to passt.
//!
//! A frame crosses with one system call, between the guest's memory and the port, in the form in which
//! the host's kernel has it: checksums not yet computed and segments not yet cut, where the driver
//! agreed to that. Each queue pair has a worker of its own.
//!
//! What the card does not do stands in [`feature`].

mod control;
pub mod feature;
mod forward;
mod mac;
mod pairs;
mod passt;
pub mod port;
mod receive;
mod spec;
mod stream;
#[allow(unsafe_code)] // ioctl calls of if_tun.h, which no crate wraps
mod tap;
mod transmit;
mod worker;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use self::control::Control;
use self::feature::Offloads;
pub use self::forward::{Forward, ForwardError, Protocol};
pub use self::mac::{MacAddress, MacError};
use self::pairs::Pairs;
pub use self::passt::{PasstError, USER_NETWORK, UserNetwork};
use self::port::Port;
use self::receive::Receiver;
pub use self::spec::{MAX_PAIRS, NetError, NetSpec};
use self::stream::{Peer, StreamPort};
pub use self::tap::TapError;
use self::transmit::Transmitter;
use self::worker::PairWorker;
use crate::device::{Activation, Device, DeviceError, DeviceSpec};
use crate::event_loop::{Fault, Worker};
use crate::spec::Kind;

/// Entries of each receive and transmit queue: what Linux fills and drains at its best, and room for
/// several of the longest frames in buffers of one page.
const QUEUE_SIZE: u16 = 256;

/// § 5.1.6: flags, kind of segments, lengths and offsets, and with VERSION_1 always `num_buffers`. A tap
/// has it in the byte order of the host, which on x86-64 is that of the specification.
const HEADER: usize = 12;

/// A frame of IPv4 or IPv6 with the longest length that they have, Ethernet and two VLAN tags around it.
const MAX_FRAME: usize = HEADER + 14 + 8 + 65536;

/// Frames that one direction of a pair moves before others have their turn on the thread.
const FRAMES_A_CALL: usize = 64;

/// The length of frames that needs no mention.
const USUAL_MTU: u16 = 1500;

/// § 5.1.4: where the status lies, and its bit for a link that is up.
const STATUS: usize = 6;
const S_LINK_UP: u16 = 1;

/// What this device is.
const KIND: Kind = Kind { id: 1, name: "net", pci_class: [0x02, 0x00, 0x00] };

/// A network card at rest.
pub struct Net {
    name: String,
    features: u64,
    mac: MacAddress,
    mtu: u16,
    pairs: Arc<Pairs>,
}

impl Net {
    /// Opens what the spec names: a tap, or a socket to a passt that is started here.
    pub fn open(spec: &NetSpec, name: impl Into<String>) -> Result<Self, NetError> {
        match (&spec.tap, spec.user) {
            (Some(tap), false) => Self::on_tap(spec, tap, name.into()),
            (None, true) => Self::of_user(spec, name.into()),
            _ => Err(NetError::Which),
        }
    }

    fn on_tap(spec: &NetSpec, tap: &str, name: String) -> Result<Self, NetError> {
        let (tap, queues) = (tap.to_owned(), spec.queues);
        if !(1..=MAX_PAIRS).contains(&queues) {
            return Err(NetError::Queues { tap, queues });
        }
        if spec.loopback || !spec.forward.is_empty() {
            return Err(NetError::OnlyUser { tap });
        }
        let opened = tap::open(&tap, queues).map_err(|why| NetError::Tap { tap: tap.clone(), why })?;
        let mac = spec.mac.unwrap_or_else(|| MacAddress::for_name(&tap));
        let ports = opened.taps.into_iter().map(|tap| Box::new(tap) as Box<dyn Port>).collect();
        let features = feature::OF_TAP | if opened.uso { feature::USO } else { 0 };
        Ok(Self::on_ports(name, mac, opened.mtu, features, ports))
    }

    fn of_user(spec: &NetSpec, name: String) -> Result<Self, NetError> {
        if spec.queues != 1 {
            return Err(NetError::OneQueue { queues: spec.queues });
        }
        let mac = spec.mac.unwrap_or_else(|| MacAddress::for_name(&name));
        let (socket, passt) = passt::start(&spec.forward, spec.loopback, mac).map_err(NetError::User)?;
        let port = StreamPort::new(socket, Box::new(passt)).map_err(NetError::Socket)?;
        Ok(Self::on_ports(name, mac, USER_NETWORK.mtu, feature::OF_STREAM, vec![Box::new(port)]))
    }

    /// A card of the network of an ordinary user whose other end the caller runs: `socket` carries frames as passt does,
    /// each behind its length in four bytes, the highest first.
    pub fn on_socket(socket: UnixStream, name: impl Into<String>) -> io::Result<Self> {
        let name = name.into();
        let mac = MacAddress::for_name(&name);
        let port = StreamPort::new(socket, Box::new(Unknown))?;
        Ok(Self::on_ports(name, mac, USER_NETWORK.mtu, feature::OF_STREAM, vec![Box::new(port)]))
    }

    /// A card on ports, one for each queue pair, that have these features.
    fn on_ports(
        name: impl Into<String>,
        mac: MacAddress,
        mtu: u16,
        mut features: u64,
        ports: Vec<Box<dyn Port>>,
    ) -> Self {
        if ports.len() > 1 {
            features |= feature::MQ | feature::CTRL_VQ;
        }
        if mtu != USUAL_MTU {
            features |= feature::MTU;
        }
        Self { name: name.into(), features, mac, mtu, pairs: Arc::new(Pairs::new(ports)) }
    }

    /// The card's address.
    pub fn mac(&self) -> MacAddress {
        self.mac
    }

    fn has_control(&self) -> bool {
        self.features & feature::CTRL_VQ != 0
    }
}

/// The program at the other end of a socket that the caller supplied.
struct Unknown;

impl Peer for Unknown {
    fn obituary(&mut self) -> String {
        "the program at the other end of its socket has closed it".to_owned()
    }
}

impl DeviceSpec for NetSpec {
    fn open(&self, name: &str) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Net::open(self, name)?))
    }
}

impl Device for Net {
    fn kind(&self) -> Kind {
        KIND
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn features(&self) -> u64 {
        self.features
    }

    /// § 5.1.2: receive and transmit in turn, and control last.
    fn queue_sizes(&self) -> Vec<u16> {
        let mut sizes = vec![QUEUE_SIZE; 2 * self.pairs.len()];
        if self.has_control() {
            sizes.push(control::QUEUE_SIZE);
        }
        sizes
    }

    /// § 5.1.4: address, status, queue pairs, MTU.
    fn config(&self) -> Vec<u8> {
        let mut config = self.mac.bytes().to_vec();
        for field in [S_LINK_UP, self.pairs.len() as u16, self.mtu] {
            config.extend(field.to_le_bytes());
        }
        config
    }

    /// A thread for each pair of queues, once there are several.
    fn loops(&self) -> usize {
        if self.pairs.len() > 1 { self.pairs.len() } else { 0 }
    }

    fn start(&mut self, mut activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        let features = activation.features;
        // § 5.1.2: without MQ there is one pair, and the control queue follows that.
        let pairs = if features & feature::MQ != 0 { self.pairs.len() } else { 1 };
        let mut control = None;
        if features & feature::CTRL_VQ != 0 {
            control = activation.queues.get_mut(2 * pairs).and_then(Option::take).map(Control::new);
        }
        let mut workers: Vec<Box<dyn Worker>> = Vec::with_capacity(pairs);
        for index in 0..pairs {
            let queues = [activation.take_queue(2 * index), activation.take_queue(2 * index + 1)];
            let [receive, transmit] = match queues {
                [Ok(receive), Ok(transmit)] => [receive, transmit],
                // The first pair must be there; of the others a driver may enable fewer.
                [Err(fault), _] | [_, Err(fault)] if index == 0 => return Err(fault),
                _ => break,
            };
            workers.push(Box::new(PairWorker {
                index,
                pairs: Arc::clone(&self.pairs),
                receiver: Receiver::new(receive, features, self.mtu),
                transmitter: Transmitter::new(transmit, features),
                control: control.take(),
                config: (index == 0).then(|| activation.config.clone()),
            }));
        }
        let started = self.pairs.start(workers.len(), Offloads::agreed(features));
        started.map_err(|error| Fault::new(format!("setting up the port: {error}")))?;
        Ok(workers)
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Net({}, {}, {} queue pairs)", self.name, self.mac, self.pairs.len())
    }
}

#[cfg(test)]
#[path = "multiqueue_test.rs"]
mod multiqueue_tests;
#[cfg(test)]
mod test_card;
#[cfg(test)]
#[path = "net_test.rs"]
mod tests;
