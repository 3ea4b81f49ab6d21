//! One end of a stream, as a program for guests and hosts: `stream-peer WHERE... WHAT...`.
//!
//! WHERE is `vsock PORT` (a connection to the host), `vsock-listen PORT`, `unix-listen PATH`, or `call PATH PORT` (a
//! connection to a guest through illico's socket, tried again until somebody listens). WHAT is `echo`, `give N`, `take`,
//! `talk N` (give N bytes and take as many at once, the end of one's own before the end of the other's), or `refused`.
//! Bytes that are given follow a pattern, and bytes that are taken are compared with it.

#![allow(clippy::disallowed_methods, reason = "this program holds no machine")]

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::size_of;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, Shutdown, SocketType, accept, bind, connect, listen, shutdown, socket};

type Failure = Box<dyn Error + Send + Sync>;

/// `struct sockaddr_vm` of `linux/vm_sockets.h`.
#[repr(C)]
struct VsockAddress {
    family: u16,
    reserved: u16,
    port: u32,
    cid: u32,
    flags: u8,
    zero: [u8; 3],
}

const CID_ANY: u32 = u32::MAX;
const CID_HOST: u32 = 2;

impl VsockAddress {
    fn new(cid: u32, port: u32) -> Self {
        Self { family: AddressFamily::VSOCK.as_raw(), reserved: 0, port, cid, flags: 0, zero: [0; 3] }
    }
}

// SAFETY: what is passed on is a `sockaddr_vm` with its length, alive for the call.
unsafe impl SocketAddrArg for VsockAddress {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        f((&raw const *self).cast(), size_of::<Self>() as SocketAddrLen)
    }
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (stream, what) = match &words[..] {
        ["vsock", port, "refused"] => return refused(connect_to_host(port.parse()?)),
        ["call", path, port, "refused"] => return refused(call(path, port).map_err(io::Error::other)),
        ["vsock", port, what @ ..] => (connect_to_host(port.parse()?)?, what),
        ["vsock-listen", port, what @ ..] => (accept_from_host(port.parse()?)?, what),
        ["unix-listen", path, what @ ..] => (UnixListener::bind(path)?.accept()?.0.into(), what),
        ["call", path, port, what @ ..] => (call_until_there(path, port)?, what),
        _ => return Err("usage: stream-peer WHERE... WHAT...".into()),
    };
    match what {
        ["echo"] => echo(stream),
        ["give", count] => give(&stream, count.parse()?),
        ["take"] => take(stream).map(|count| println!("took {count}")),
        ["talk", count] => talk(stream, count.parse()?),
        _ => Err("WHAT is echo, give N, take, talk N or refused".into()),
    }
}

fn connect_to_host(port: u32) -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::VSOCK, SocketType::STREAM, None)?;
    connect(&socket, &VsockAddress::new(CID_HOST, port))?;
    Ok(socket)
}

fn accept_from_host(port: u32) -> io::Result<OwnedFd> {
    let listener = socket(AddressFamily::VSOCK, SocketType::STREAM, None)?;
    bind(&listener, &VsockAddress::new(CID_ANY, port))?;
    listen(&listener, 8)?;
    Ok(accept(&listener)?)
}

/// One try. A line is read byte by byte, since what follows it belongs to the stream.
fn call(path: &str, port: &str) -> Result<OwnedFd, Failure> {
    let mut stream = UnixStream::connect(path)?;
    stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
    let mut line = String::new();
    while !line.ends_with('\n') {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err("closed".into());
        }
        line.push(byte[0].into());
    }
    line.strip_prefix("OK ").and_then(|port| port.trim_end().parse::<u32>().ok()).ok_or(line.clone())?;
    Ok(stream.into())
}

fn call_until_there(path: &str, port: &str) -> Result<OwnedFd, Failure> {
    loop {
        match call(path, port) {
            Err(_) => thread::sleep(Duration::from_millis(200)),
            stream => return stream,
        }
    }
}

fn refused(stream: io::Result<OwnedFd>) -> Result<(), Failure> {
    match stream {
        Ok(_) => Err("it was accepted".into()),
        Err(error) => {
            println!("refused: {error}");
            Ok(())
        }
    }
}

/// What is given, again and again: a prime number of bytes, so that no page or packet is like the one before.
fn pattern() -> Vec<u8> {
    (0..65_521_u32).map(|at| ((at * 31) ^ (at >> 8)) as u8).collect()
}

fn give(stream: impl AsFd, count: u64) -> Result<(), Failure> {
    let mut file = File::from(stream.as_fd().try_clone_to_owned()?);
    let pattern = pattern();
    let mut left = usize::try_from(count)?;
    while left > 0 {
        let piece = &pattern[..left.min(pattern.len())];
        file.write_all(piece)?;
        left -= piece.len();
    }
    Ok(shutdown(&stream, Shutdown::Write)?)
}

/// Everything up to the end.
fn take(stream: OwnedFd) -> Result<u64, Failure> {
    let mut file = File::from(stream);
    let pattern = pattern();
    let mut bytes = vec![0; pattern.len()];
    let mut took = 0;
    loop {
        let expected = &pattern[took % pattern.len()..];
        let count = file.read(&mut bytes[..expected.len()])?;
        if count == 0 {
            return Ok(took as u64);
        }
        if bytes[..count] != expected[..count] {
            return Err(format!("wrong bytes behind {took}").into());
        }
        took += count;
    }
}

fn talk(stream: OwnedFd, count: u64) -> Result<(), Failure> {
    let other = stream.try_clone()?;
    let giving = thread::spawn(move || give(&other, count));
    let took = take(stream)?;
    giving.join().map_err(|_| "the giving half panicked")??;
    println!("gave {count} and took {took}");
    Ok(())
}

fn echo(stream: OwnedFd) -> Result<(), Failure> {
    let mut from = File::from(stream.try_clone()?);
    let mut to = File::from(stream);
    let count = io::copy(&mut from, &mut to)?;
    shutdown(&to, Shutdown::Write)?;
    println!("echoed {count}");
    Ok(())
}
