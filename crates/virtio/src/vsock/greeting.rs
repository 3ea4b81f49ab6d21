//! What a host program says first: `CONNECT PORT` and a newline, to which `OK HOSTPORT` and a newline is the answer.
//!
//! What it writes behind that line is for the guest already, so not a byte more is taken than the line has.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, recv};

/// `CONNECT 4294967295` and a newline.
const MAX_GREETING: usize = 19;

/// How far the line has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// All of it: the port of the guest.
    Port(u32),
    /// A part, or nothing.
    Unfinished,
    /// It will not be one.
    Wrong,
}

/// Reads the line, if all of it is there.
pub fn read(stream: &UnixStream) -> Greeting {
    let mut bytes = [0; MAX_GREETING];
    let len = loop {
        match recv(stream, &mut bytes[..], RecvFlags::PEEK) {
            Ok((_, len)) => break len,
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => return Greeting::Unfinished,
                _ => return Greeting::Wrong,
            },
        }
    };
    let Some(seen) = bytes.get(..len) else { return Greeting::Wrong };
    let Some(end) = seen.iter().position(|&byte| byte == b'\n') else {
        // No bytes at all mean that no more will come.
        return if len == 0 || !may_become(seen) { Greeting::Wrong } else { Greeting::Unfinished };
    };
    let (line, _) = seen.split_at(end);
    let Some(port) = parse(line) else { return Greeting::Wrong };
    let mut taken = [0; MAX_GREETING];
    let Some(whole) = taken.get_mut(..=end) else { return Greeting::Wrong };
    // It was seen to be there, so this neither waits nor comes short.
    let mut stream = stream;
    match stream.read_exact(whole) {
        Ok(()) => Greeting::Port(port),
        Err(_) => Greeting::Wrong,
    }
}

const WORD: &[u8] = b"CONNECT ";

fn may_become(seen: &[u8]) -> bool {
    seen.len() < MAX_GREETING && seen.iter().zip(WORD).all(|(seen, wanted)| seen == wanted)
}

fn parse(line: &[u8]) -> Option<u32> {
    let digits = line.strip_prefix(WORD)?;
    // `parse` would take a sign, too.
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The answer.
pub fn answer(host_port: u32) -> String {
    format!("OK {host_port}\n")
}

#[cfg(test)]
#[path = "greeting_test.rs"]
mod tests;
