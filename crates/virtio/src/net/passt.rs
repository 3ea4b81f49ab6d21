//! passt(1) as the other end of a network card: it turns a guest's frames into sockets of an ordinary user, so that a
//! guest has a network without rights on the host.
//!
//! It runs beside the monitor, as a process of its own that knows one end of a socket and gives up all else. When the
//! other end is closed it ends: when the card is dropped, and when the monitor dies, however that happens.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, fchmod};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};

use super::forward::{Forward, Protocol};
use super::mac::MacAddress;
use super::stream::Peer;

/// What a guest has to set up to have a network, known before there is a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserNetwork {
    /// The guest's own address.
    pub address: Ipv4Addr,
    /// Bits of the network's prefix.
    pub prefix: u8,
    /// The default route.
    pub gateway: Ipv4Addr,
    /// Queries that are sent there go to the host's own resolver.
    pub dns: Ipv4Addr,
    /// The longest packet.
    pub mtu: u16,
}

/// The network of an ordinary user.
pub const USER_NETWORK: UserNetwork = UserNetwork {
    address: Ipv4Addr::new(10, 0, 2, 15),
    prefix: 24,
    gateway: Ipv4Addr::new(10, 0, 2, 2),
    dns: Ipv4Addr::new(10, 0, 2, 3),
    // A packet of 64 KiB, a multiple of four as passt wants it: there is no wire that would have to cut it.
    mtu: 65520,
};

/// passt does not run, or not as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum PasstError {
    /// It is not there.
    #[error("it needs the program passt, which is not in PATH: install the package `passt` of your distribution")]
    Missing,
    /// It could not be started.
    #[error("starting {}", program.display())]
    Start {
        /// Where it was found.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A port of the host could not be bound.
    #[error("port {} of the host cannot be had: another program has it, or it is below 1024", forward.host)]
    Port {
        /// What was asked for.
        forward: Forward,
    },
    /// The host has no network.
    #[error("this host has no default route, so there is no network to be shared")]
    NoNetwork,
    /// Something else, in its own words.
    #[error("passt ended at once: {0}")]
    Said(String),
}

/// Bytes of an ARP packet over Ethernet.
const ARP_FRAME: usize = 42;

/// A running passt.
pub(super) struct Passt {
    /// The process. Named by a descriptor, not by its number: a thread that may signal this one need not have the right
    /// to signal any other.
    process: OwnedFd,
    /// What it says.
    words: File,
}

/// Starts passt and waits until it serves. `loopback`: the gateway's address is the host's own 127.0.0.1 to the guest.
pub(super) fn start(
    forwards: &[Forward],
    loopback: bool,
    guest: MacAddress,
) -> Result<(UnixStream, Passt), PasstError> {
    let program = find().ok_or(PasstError::Missing)?;
    let (mut stream, passt) = start_program(&program, forwards, loopback)?;
    if !forwards.is_empty() {
        announce(&mut stream, guest).map_err(|source| PasstError::Start { program, source })?;
    }
    Ok((stream, passt))
}

/// Says in the guest's place that it is there, by an ARP announcement (RFC 5227 § 3): passt learns the guest's address from
/// what it sends, and until then what comes in goes to the broadcast address, where no TCP listens. A guest that only serves may
/// never send anything first.
fn announce(stream: &mut impl Write, guest: MacAddress) -> io::Result<()> {
    let (mac, ip) = (guest.bytes(), USER_NETWORK.address.octets());
    let mut frame = Vec::with_capacity(ARP_FRAME);
    frame.extend([0xff; 6]);
    frame.extend(mac);
    // EtherType ARP, then (RFC 826) Ethernet, IPv4, their lengths of addresses, a request.
    frame.extend([0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01]);
    frame.extend(mac);
    frame.extend(ip);
    frame.extend([0; 6]);
    frame.extend(ip);
    // As each frame on this stream, behind its length.
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &frame].concat())
}

fn start_program(program: &Path, forwards: &[Forward], loopback: bool) -> Result<(UnixStream, Passt), PasstError> {
    let failed = |source| PasstError::Start { program: program.to_owned(), source };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // passt may have changed its user by the time it writes its id.
    let (ready, pid) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    fchmod(&pid, Mode::WUSR | Mode::WGRP | Mode::WOTH).map_err(|error| failed(error.into()))?;
    // What it writes is read only when it has ended: the pipe must neither block nor end it.
    let (words, says) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
    let mut command = Command::new(program);
    command
        .args(arguments(forwards, loopback))
        .stdin(OwnedFd::from(theirs))
        .stdout(pid)
        .stderr(says)
        // What the terminal sends to the monitor is not for it.
        .process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    // The command holds the other ends of the pipes.
    drop(command);
    let mut number = Vec::new();
    // It writes its number when it is ready, and nothing if it ends before.
    let mut buffer = [0; 16];
    let mut ready = File::from(ready);
    while !number.ends_with(b"\n") {
        match ready.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => number.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let mut words = File::from(words);
    if number.is_empty() {
        child.wait().map_err(failed)?;
        return Err(translate(&last_words(&mut words), forwards));
    }
    // What it said while it started is not why it ends.
    let _ = last_words(&mut words);
    // It was not waited for, so the number is its own still.
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
    Ok((ours, Passt { process, words }))
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("passt")).find(|file| file.is_file())
}

/// Addresses are given, so that a guest can know them beforehand. IPv4 only: of IPv6 passt shows the guest the host's
/// own addresses.
fn arguments(forwards: &[Forward], loopback: bool) -> Vec<String> {
    let network = USER_NETWORK;
    let mut words = vec!["-f".to_owned(), "-q".to_owned(), "-4".to_owned()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--fd", "0".to_owned());
    // Its number on standard output, once it serves.
    option("-P", "/dev/stdout".to_owned());
    option("-a", network.address.to_string());
    option("-n", network.prefix.to_string());
    option("-g", network.gateway.to_string());
    option("-m", network.mtu.to_string());
    option("--dns-forward", network.dns.to_string());
    for forward in forwards {
        option(if forward.protocol == Protocol::Udp { "-u" } else { "-t" }, ports(forward));
    }
    if !loopback {
        words.push("--no-map-gw".to_owned());
    }
    words
}

/// A forwarded port in passt's words.
fn ports(forward: &Forward) -> String {
    let address = forward.address.map(|address| format!("{address}/")).unwrap_or_default();
    format!("{address}{}:{}", forward.host, forward.guest)
}

/// What it said, without what it says about itself.
fn last_words(words: &mut File) -> String {
    let mut bytes = Vec::new();
    // The end of what there is may be an error, as the pipe does not wait.
    let _ = words.take(64 << 10).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let chatter = |line: &&str| {
        !line.trim().is_empty() && !line.starts_with("Failed to send") && !line.starts_with("Don't run as root")
    };
    text.lines().rfind(chatter).unwrap_or("it did not say why").trim().to_owned()
}

fn translate(said: &str, forwards: &[Forward]) -> PasstError {
    let meant = |forward: &&Forward| said.contains("bind") && said.contains(&format!("{}'", ports(forward)));
    if let Some(&forward) = forwards.iter().find(meant) {
        PasstError::Port { forward }
    } else if said.contains("routable interface") || said.contains("External interface not usable") {
        PasstError::NoNetwork
    } else {
        PasstError::Said(said.to_owned())
    }
}

impl Peer for Passt {
    fn obituary(&mut self) -> String {
        format!("passt has ended: {}", last_words(&mut self.words))
    }
}

impl Drop for Passt {
    /// Its ports are free when this is done.
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED);
    }
}

#[cfg(test)]
#[path = "passt_test.rs"]
mod tests;
