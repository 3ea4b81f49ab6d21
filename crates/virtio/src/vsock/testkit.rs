//! A guest for tests: a second view of the protocol, over fake queues and real sockets.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use super::packet::{HEADER, HOST_CID, Header, Op, STREAM};
use super::*;
use crate::event_loop::Polling;
use crate::spec::feature::EVENT_IDX;
use crate::testkit::{Bench, Part};

/// A device on fake queues, with a socket in a folder of its own.
pub struct Guest {
    pub bench: Bench,
    pub path: PathBuf,
    /// What came, and was not looked at.
    pub came: VecDeque<(Header, Vec<u8>)>,
    pub file: SocketFile,
    _device: Vsock,
    folder: tempfile::TempDir,
}

pub const CID: u64 = 3;

impl Guest {
    /// With 128 buffers for packets, each of a page.
    pub fn new() -> Self {
        let mut guest = Self::without_buffers();
        guest.post(128, 4096);
        guest
    }

    pub fn without_buffers() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm");
        let (mut device, file) = Vsock::open(&VsockSpec { path: path.clone(), cid: CID as u32 }).unwrap();
        let bench = Bench::start(&mut device, EVENT_IDX);
        Self { bench, path, came: VecDeque::new(), file, _device: device, folder }
    }

    pub fn post(&mut self, count: usize, len: usize) {
        for _ in 0..count {
            if self.bench.drivers[0].add(&[Part::Writable(len)]).is_none() {
                break;
            }
        }
    }

    /// Runs the device until it rests.
    pub fn run(&mut self) {
        let worker = &mut self.bench.workers[0];
        for source in [2, 1, 0] {
            let mut polling = worker.ready(source).unwrap();
            let mut turns = 0;
            while polling == Polling::Again {
                turns += 1;
                assert!(turns < 10_000, "the device turns in circles");
                polling = worker.poll().unwrap();
            }
        }
        while let Some(used) = self.bench.drivers[0].take_used() {
            let header = Header::parse(used.data[..HEADER].try_into().unwrap());
            let written = used.written as usize;
            assert_eq!(written, HEADER + header.len as usize);
            self.came.push_back((header, used.data[HEADER..written].to_vec()));
        }
        while self.bench.drivers[1].take_used().is_some() {}
    }

    /// Sends a packet, as it is.
    pub fn send_raw(&mut self, packet: &[u8]) {
        self.bench.drivers[1].add(&[Part::Readable(packet)]).unwrap();
    }

    pub fn send(&mut self, header: Header, payload: &[u8]) {
        self.send_raw(&[&header.bytes(), payload].concat());
    }

    /// Sends, runs, and gives what came for it.
    pub fn ask(&mut self, header: Header, payload: &[u8]) -> Vec<(Header, Vec<u8>)> {
        self.send(header, payload);
        self.run();
        self.came.drain(..).collect()
    }

    /// The operations of what came since the last look.
    pub fn heard(&mut self) -> Vec<Op> {
        self.run();
        self.came.drain(..).map(|(header, _)| header.op.unwrap()).collect()
    }

    /// A host program that listens for the guest's connections to a port.
    pub fn listen(&self, port: u32) -> UnixListener {
        UnixListener::bind(self.folder.path().join(format!("vm_{port}"))).unwrap()
    }

    /// A host program that has said where it wants to go.
    pub fn call(&self, port: u32) -> UnixStream {
        let mut program = UnixStream::connect(&self.path).unwrap();
        program.write_all(format!("CONNECT {port}\n").as_bytes()).unwrap();
        program.set_nonblocking(true).unwrap();
        program
    }

    /// A connection from guest port `guest` to host port `host`, with the host program's end.
    pub fn connect(&mut self, guest: u32, host: u32) -> UnixStream {
        let listener = self.listen(host);
        let answers = self.ask(packet(Op::Request, guest, host), &[]);
        assert_eq!(answers.iter().map(|(header, _)| header.op.unwrap()).collect::<Vec<_>>(), [Op::Response]);
        let program = listener.accept().unwrap().0;
        std::fs::remove_file(self.folder.path().join(format!("vm_{host}"))).unwrap();
        program.set_nonblocking(true).unwrap();
        program
    }
}

/// A packet of the guest with room for 256 KiB.
pub fn packet(op: Op, guest: u32, host: u32) -> Header {
    Header {
        src_cid: CID,
        dst_cid: HOST_CID,
        src_port: guest,
        dst_port: host,
        len: 0,
        kind: STREAM,
        op: Some(op),
        flags: 0,
        buf_alloc: 256 << 10,
        fwd_cnt: 0,
    }
}

/// A packet with data.
pub fn data(guest: u32, host: u32, len: usize) -> Header {
    Header { len: len as u32, ..packet(Op::Data, guest, host) }
}

/// Everything that can be read now, and whether the end was.
pub fn drain(stream: &mut UnixStream) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    let mut piece = [0; 65536];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return (all, true),
            Ok(len) => all.extend(&piece[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return (all, false),
            // The other end went without having read everything: nothing more comes, all the same.
            Err(_) => return (all, true),
        }
    }
}
