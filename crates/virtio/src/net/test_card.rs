//! A card on sockets, and a driver beside it, for tests.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;

use super::*;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, FakeDriver, Part, Used};

pub(super) const RX_KICK: usize = 0;
pub(super) const TX_KICK: usize = 1;

/// What a port was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) offloads: Option<Offloads>,
    pub(super) attached: Vec<bool>,
}

/// Any descriptor as a port.
pub(super) struct TestPort(OwnedFd, Arc<Mutex<Told>>);

impl AsFd for TestPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Port for TestPort {
    fn set_offloads(&self, offloads: Offloads) -> io::Result<()> {
        self.1.lock().unwrap().offloads = Some(offloads);
        Ok(())
    }

    fn set_attached(&self, attached: bool) -> io::Result<()> {
        self.1.lock().unwrap().attached.push(attached);
        Ok(())
    }
}

/// A card with fewer features, or smaller rings, than it could have.
pub(super) struct Modest {
    pub(super) net: Net,
    pub(super) without: u64,
    pub(super) ring: u16,
}

impl Device for Modest {
    fn kind(&self) -> Kind {
        self.net.kind()
    }

    fn name(&self) -> &str {
        self.net.name()
    }

    fn features(&self) -> u64 {
        self.net.features() & !self.without
    }

    fn queue_sizes(&self) -> Vec<u16> {
        self.net.queue_sizes().into_iter().map(|size| size.min(self.ring)).collect()
    }

    fn config(&self) -> Vec<u8> {
        self.net.config()
    }

    fn start(&mut self, activation: Activation) -> Result<Vec<Box<dyn Worker>>, Fault> {
        self.net.start(activation)
    }
}

pub(super) fn mac() -> MacAddress {
    "02:00:00:00:00:01".parse().unwrap()
}

/// A card on `pairs` sockets, their other ends, and what its ports are told.
pub(super) fn card(pairs: usize) -> (Net, Vec<UnixDatagram>, Vec<Arc<Mutex<Told>>>) {
    let (mut ports, mut hosts, mut told) = (Vec::<Box<dyn Port>>::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (host, guest) = UnixDatagram::pair().unwrap();
        host.set_nonblocking(true).unwrap();
        guest.set_nonblocking(true).unwrap();
        told.push(Arc::default());
        ports.push(Box::new(TestPort(guest.into(), Arc::clone(told.last().unwrap()))));
        hosts.push(host);
    }
    (Net::on_ports("net0", mac(), USUAL_MTU, feature::OF_TAP, ports), hosts, told)
}

/// A card of one pair at work, without some features and with rings of at most `ring` entries.
pub(super) fn modest(without: u64, ring: u16) -> (Bench, UnixDatagram) {
    let (net, mut hosts, _) = card(1);
    (Bench::start(&mut Modest { net, without, ring }, EVENT_IDX), hosts.remove(0))
}

pub(super) fn bench() -> (Bench, UnixDatagram) {
    modest(0, QUEUE_SIZE)
}

/// A card whose port is some file, with `buffers` of the longest frame posted.
pub(super) fn on_file(path: &str, buffers: usize) -> Bench {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let port = Box::new(TestPort(file.into(), Arc::default()));
    let mut bench = Bench::start(&mut Net::on_ports("net0", mac(), USUAL_MTU, feature::OF_TAP, vec![port]), EVENT_IDX);
    post(&mut bench, &vec![MAX_FRAME; buffers]);
    bench
}

/// A frame of `length` bytes, header included, that starts with `flags` and is told from others by `seed`.
pub(super) fn frame(flags: u8, length: usize, seed: usize) -> Vec<u8> {
    let mut frame = vec![0; HEADER];
    frame[0] = flags;
    frame.extend((HEADER..length).map(|n| ((n + seed) % 251) as u8));
    frame
}

/// Posts receive buffers.
pub(super) fn post(bench: &mut Bench, sizes: &[usize]) {
    for &size in sizes {
        bench.drivers[0].add(&[Part::Writable(size)]).unwrap();
    }
}

/// The next frame that the driver has received, put together from its buffers as § 5.1.6.4 says.
pub(super) fn receive(driver: &mut FakeDriver) -> Option<Vec<u8>> {
    let first = driver.take_used()?;
    let count = u16::from_le_bytes([first.data[10], first.data[11]]);
    let mut rest = vec![first];
    rest.extend((1..count).map(|_| driver.take_used().expect("all buffers of a frame are there at once")));
    let mut frame = Vec::new();
    for Used { written, data, .. } in rest {
        frame.extend_from_slice(&data[..written as usize]);
    }
    frame[10..12].fill(0);
    Some(frame)
}

pub(super) fn all(driver: &mut FakeDriver) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| receive(driver)).collect()
}
