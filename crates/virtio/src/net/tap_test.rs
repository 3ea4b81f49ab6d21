//! A card on a real tap, in a network namespace that goes with its thread. Making one takes root.

use std::mem;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use vmm_sys_util::eventfd::EventFd;

use super::super::worker::PORT;
use super::super::{Net, NetError, NetSpec, feature};
use super::*;
use crate::device::Device;
use crate::event_loop::{EventLoop, Fault, Polling};
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, FakeDriver, Part};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const GUEST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const BROADCAST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 255);
const TAP: &str = "ill0";
/// Long enough for any machine; only a test that fails waits for it.
const HANGS: Duration = Duration::from_secs(20);

fn in_a_network_of_its_own(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        // SAFETY: unshare takes a number, and changes the network of this thread only.
        let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        checked(done).expect("this test makes a network namespace: run it as root");
        test();
    });
    thread.join().unwrap();
}

fn call<T>(socket: &impl AsRawFd, number: libc::Ioctl, argument: &mut T) {
    // SAFETY: callers pass the type that the call is defined with, and it lives until the call returns.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), number, &raw mut *argument) }).unwrap();
}

/// As `ip tuntap add` and `ip link set up` do, with the host's address.
fn make_tap(more: libc::c_int) {
    let node = File::options().read(true).write(true).open(NODE).expect("this test needs the tun driver");
    call(&node, libc::TUNSETIFF, &mut request(TAP, libc::IFF_TAP | libc::IFF_NO_PI | more));
    // SAFETY: TUNSETPERSIST takes a number.
    checked(unsafe { libc::ioctl(node.as_raw_fd(), libc::TUNSETPERSIST, 1) }).unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    for (number, address) in [(libc::SIOCSIFADDR, HOST), (libc::SIOCSIFNETMASK, Ipv4Addr::new(255, 255, 255, 0))] {
        let mut request = request(TAP, 0);
        // SAFETY: all bytes zero is a value of this plain structure.
        let mut to: libc::sockaddr_in = unsafe { mem::zeroed() };
        to.sin_family = libc::AF_INET as libc::sa_family_t;
        to.sin_addr.s_addr = u32::from_ne_bytes(address.octets());
        // SAFETY: both are 16 bytes of plain data, and a sockaddr is a sockaddr_in by its family.
        request.ifr_ifru.ifru_addr = unsafe { mem::transmute::<libc::sockaddr_in, libc::sockaddr>(to) };
        call(&socket, number, &mut request);
    }
    call(&socket, libc::SIOCSIFFLAGS, &mut request(TAP, libc::IFF_UP | libc::IFF_RUNNING));
}

fn spec(queues: u16) -> NetSpec {
    NetSpec { queues, ..NetSpec::on_tap(TAP) }
}

fn post(driver: &mut FakeDriver) {
    while driver.add(&[Part::Writable(1526)]).is_some() {}
}

/// Frames that the driver has received, those of other protocols than ARP and IPv4 left out.
fn received(driver: &mut FakeDriver) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(first) = driver.take_used() {
        let mut frame = first.data[..first.written as usize].to_vec();
        for _ in 1..u16::from_le_bytes([frame[10], frame[11]]) {
            let next = driver.take_used().expect("all buffers of a frame are there at once");
            frame.extend_from_slice(&next.data[..next.written as usize]);
        }
        frames.push(frame);
    }
    frames.retain(|frame| frame[24..26] == [8, 0] || frame[24..26] == [8, 6]);
    frames
}

/// Frames from the host until `count` are there.
fn await_frames(bench: &mut Bench, count: usize) -> Vec<Vec<u8>> {
    let start = std::time::Instant::now();
    let mut frames = Vec::new();
    while frames.len() < count {
        assert!(start.elapsed() < HANGS, "{} frames of {count} came", frames.len());
        bench.workers[0].ready(PORT).unwrap();
        frames.extend(received(&mut bench.drivers[0]));
    }
    frames
}

fn send(bench: &mut Bench, frame: &[u8]) {
    bench.drivers[1].add(&[Part::Readable(frame)]).unwrap();
    bench.workers[0].ready(1).unwrap();
    bench.drivers[1].take_used().unwrap();
}

/// The sum of RFC 1071, folded.
fn sum(bytes: &[u8]) -> u16 {
    let mut sum =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum::<u32>();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// A datagram of the guest whose checksum the host is to fill in, in segments of `gso` bytes if not 0.
fn datagram(from: [u8; 6], to: [u8; 6], port: u16, payload: &[u8], gso: u16) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut ip = vec![0x45, 0];
    ip.extend((20 + length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(GUEST.octets());
    ip.extend(HOST.octets());
    let checksum = !sum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let pseudo = [&GUEST.octets()[..], &HOST.octets(), &[0, 17], &length.to_be_bytes()].concat();
    let udp = [7_u16.to_be_bytes(), port.to_be_bytes(), length.to_be_bytes(), sum(&pseudo).to_be_bytes()].concat();
    let (needs_csum, segments) = (1, if gso > 0 { 5 } else { 0 });
    let fields = [42, gso, 34, 6, 0].map(u16::to_le_bytes).concat();
    [&[needs_csum, segments][..], &fields, &to, &from, &[8, 0], &ip, &udp, payload].concat()
}

/// A card on a new tap, a socket of the host, and the host's address, which a first exchange has told.
fn connected() -> (Net, Bench, UdpSocket, [u8; 6]) {
    make_tap(0);
    let mut net = Net::open(&spec(1), "net0").unwrap();
    let mut bench = Bench::start(&mut net, EVENT_IDX);
    post(&mut bench.drivers[0]);
    let socket = UdpSocket::bind((HOST, 0)).unwrap();
    socket.set_read_timeout(Some(HANGS)).unwrap();
    socket.send_to(b"question", (GUEST, 7)).unwrap();

    let asked = await_frames(&mut bench, 1).remove(0);
    assert_eq!((&asked[24..26], &asked[32..34], &asked[50..54]), (&[8, 6][..], &[0, 1][..], &GUEST.octets()[..]));
    let (host, guest): ([u8; 6], _) = (asked[18..24].try_into().unwrap(), net.mac().bytes());
    let mut reply = [&[0; 12][..], &host, &guest, &asked[24..32], &[0, 2], &guest, &GUEST.octets()].concat();
    reply.extend_from_slice(&[&host[..], &HOST.octets()].concat());
    send(&mut bench, &reply);
    let question = await_frames(&mut bench, 1).remove(0);
    assert_eq!((&question[12..18], &question[54..]), (&guest[..], &b"question"[..]));
    assert_eq!(question[..10], [1, 0, 0, 0, 0, 0, 34, 0, 6, 0], "the guest is to fill in the checksum");
    (net, bench, socket, host)
}

#[test]
fn the_kernel_of_the_host_finds_the_guest_and_talks_with_it() {
    in_a_network_of_its_own(|| {
        let (net, mut bench, socket, host) = connected();
        let port = socket.local_addr().unwrap().port();
        send(&mut bench, &datagram(net.mac().bytes(), host, port, b"answer", 0));
        let mut got = [0; 100];
        let (length, from) = socket.recv_from(&mut got).unwrap();
        assert_eq!((&got[..length], from), (&b"answer"[..], (GUEST, 7).into()));
    });
}

#[test]
fn long_segments_cross_in_one_piece_both_ways() {
    in_a_network_of_its_own(|| {
        let (net, mut bench, socket, host) = connected();
        post(&mut bench.drivers[0]);
        let text: Vec<u8> = (0..30_000_u32).map(|n| (n % 251) as u8).collect();
        let segment: libc::c_int = 1000;
        let (value, length) = ((&raw const segment).cast(), size_of_val(&segment) as libc::socklen_t);
        // SAFETY: the option is an int, whose address and length are passed.
        let done = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, value, length) };
        checked(done).unwrap();
        socket.send_to(&text, (GUEST, 7)).unwrap();
        // A host older than Linux 6.2 cuts the segments before the tap.
        let uso = net.features() & feature::USO != 0;
        let frames = await_frames(&mut bench, if uso { 1 } else { 30 });
        assert_eq!(frames.iter().flat_map(|frame| &frame[54..]).copied().collect::<Vec<_>>(), text);

        let port = socket.local_addr().unwrap().port();
        let pieces = if uso { 30_000 } else { 1000 };
        for piece in text.chunks(pieces) {
            send(&mut bench, &datagram(net.mac().bytes(), host, port, piece, if uso { 1000 } else { 0 }));
        }
        let mut got = Vec::new();
        let mut datagram = [0; 2000];
        while got.len() < text.len() {
            let length = socket.recv(&mut datagram).unwrap();
            assert_eq!(length, 1000);
            got.extend_from_slice(&datagram[..length]);
        }
        assert!(got == text);
    });
}

#[test]
fn a_tap_that_is_down_takes_nothing_and_harms_nothing() {
    in_a_network_of_its_own(|| {
        let (net, mut bench, socket, host) = connected();
        call(&socket, libc::SIOCSIFFLAGS, &mut request(TAP, 0));
        send(&mut bench, &datagram(net.mac().bytes(), host, 9, b"lost", 0));
        assert_eq!(bench.workers[0].ready(PORT).unwrap(), Polling::Sleep);
    });
}

/// Waits until an eventfd is rung.
fn wait_for(event: &EventFd) {
    let mut watched = libc::pollfd { fd: event.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, which lives until the call returns.
    let ready = unsafe { libc::poll(&raw mut watched, 1, HANGS.as_millis() as libc::c_int) };
    assert_eq!(ready, 1, "no signal came");
    event.read().unwrap();
}

#[test]
fn flows_come_in_all_queues_that_the_driver_uses_and_in_no_other() {
    in_a_network_of_its_own(|| {
        make_tap(libc::IFF_MULTI_QUEUE);
        let mut bench = Bench::start(&mut Net::open(&spec(2), "net0").unwrap(), 0);
        let event_loop = EventLoop::new().unwrap();
        let handle = event_loop.handle();
        let thread = std::thread::spawn(move || event_loop.run());
        let workers = bench.workers.drain(..);
        let fault = |fault: &Fault| panic!("{fault}");
        let attached: Vec<_> = workers.map(|worker| handle.attach(worker, Box::new(fault)).unwrap()).collect();
        for queue in [0, 2] {
            post(&mut bench.drivers[queue]);
            bench.drivers[queue].kick();
        }
        let sockets: Vec<_> = (0..64).map(|_| UdpSocket::bind((HOST, 0)).unwrap()).collect();
        let send_all = || {
            for socket in &sockets {
                socket.set_broadcast(true).unwrap();
                socket.send_to(b"all", (BROADCAST, 7)).unwrap();
            }
        };
        send_all();
        let mut came = 0;
        while came < sockets.len() {
            wait_for(&bench.drivers[0].interrupts);
            came += received(&mut bench.drivers[0]).len();
        }

        bench.drivers[4].add(&[Part::Readable(&[4, 0, 2, 0]), Part::Writable(1)]).unwrap();
        bench.drivers[4].kick();
        wait_for(&bench.drivers[4].interrupts);
        assert_eq!(bench.drivers[4].take_used().unwrap().data, [0]);
        post(&mut bench.drivers[0]);
        send_all();
        // The second queue was detached when the loop began to watch it.
        let mut came = [0, 0];
        while came.iter().sum::<usize>() < sockets.len() || came.contains(&0) {
            for (count, queue) in came.iter_mut().zip([0, 2]) {
                if *count == 0 {
                    wait_for(&bench.drivers[queue].interrupts);
                }
                *count += received(&mut bench.drivers[queue]).len();
            }
        }
        drop(attached);
        handle.stop();
        thread.join().unwrap().unwrap();
    });
}

#[test]
fn a_tap_that_cannot_be_used_is_refused_and_none_is_made() {
    let refused = |name: &str, queues| match Net::open(&NetSpec { queues, ..NetSpec::on_tap(name) }, "net0") {
        Err(NetError::Tap { tap, why }) if tap == name => why,
        other => panic!("{other:?}"),
    };
    in_a_network_of_its_own(move || {
        for name in ["", "a/b", "tap%d", "sixteen-letters-", "a b", "a:b"] {
            assert!(matches!(refused(name, 1), TapError::Name), "{name}");
        }
        let missing = refused(TAP, 1).to_string();
        assert!(missing.contains("ip tuntap add dev ill0 mode tap"), "{missing}");
        assert!(mtu(TAP).is_err(), "asking for a tap has made it");
        assert!(matches!(refused("lo", 1), TapError::NotATap));
        assert!(matches!(Net::open(&spec(0), "net0"), Err(NetError::Queues { .. })));
        assert!(matches!(Net::open(&spec(9), "net0"), Err(NetError::Queues { .. })));

        make_tap(0);
        let several = refused(TAP, 2).to_string();
        assert!(several.contains("multi_queue"), "{several}");
        let first = Net::open(&spec(1), "net0").unwrap();
        assert!(matches!(refused(TAP, 1), TapError::Busy));
        drop(first);
        Net::open(&spec(1), "net0").unwrap();
        assert_eq!(mtu(TAP).unwrap(), 1500, "it is there as before");
    });
}

#[test]
fn a_tap_of_several_queues_serves_a_card_of_one() {
    in_a_network_of_its_own(|| {
        make_tap(libc::IFF_MULTI_QUEUE);
        assert_eq!(Net::open(&spec(1), "net0").unwrap().queue_sizes().len(), 2);
    });
}
