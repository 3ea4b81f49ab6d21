//! A name server for tests, which knows one answer: `dns-answers ADDRESS:PORT ANSWER` says to each question about a name that
//! it has the IPv4 address ANSWER, and to all other questions that there is nothing of that kind (RFC 1035).

use std::error::Error;
use std::net::{Ipv4Addr, UdpSocket};

const A: [u8; 2] = [0, 1];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [at, address] = &words[..] else { return Err("usage: dns-answers ADDRESS:PORT ANSWER".into()) };
    let address: Ipv4Addr = address.parse()?;
    let socket = UdpSocket::bind(at.as_str())?;
    let mut bytes = [0; 512];
    loop {
        let (len, asker) = socket.recv_from(&mut bytes)?;
        if let Some(answer) = answer(&bytes[..len], address) {
            socket.send_to(&answer, asker)?;
        }
    }
}

fn answer(query: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    // The header has 12 bytes; the question's name ends with a label of no length, its type and class follow.
    let name = query.get(12..)?.iter().position(|&byte| byte == 0)?;
    let question = query.get(12..12 + name + 5)?;
    let known = question.get(name + 1..name + 3)? == A;
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(known), 0, 0, 0, 0]);
    answer.extend(question);
    if known {
        // The name is that of the question, at byte 12; a minute, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
