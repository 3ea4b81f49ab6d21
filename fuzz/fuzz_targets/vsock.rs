//! A hostile driver of vsock, and hostile host programs: packets that are nearly right, in any order, between steps of
//! the sockets. The device never panics, never turns in circles, and keeps nothing beyond its bounds.

#![no_main]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use arbitrary::Arbitrary;
use illico_fuzz::Broken;
use illico_virtio::event_loop::Polling;
use illico_virtio::testkit::{Bench, Part};
use illico_virtio::vsock::packet::{HEADER, Header, Op, STREAM};
use illico_virtio::vsock::{Vsock, VsockSpec};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Step {
    Packet { op: u8, guest: u8, host: u8, flags: u8, room: u32, forwarded: u32, len: u16, broken: Option<Broken> },
    Post { count: u8, len: u16 },
    Run,
    Call { port: u8, greeting: Option<Vec<u8>> },
    Accept,
    Write { program: u8, len: u16 },
    Read { program: u8 },
    Leave { program: u8 },
}

thread_local! {
    static PLACE: RefCell<(tempfile::TempDir, UnixListener)> = {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("vm_7")).unwrap();
        listener.set_nonblocking(true).unwrap();
        RefCell::new((folder, listener))
    };
}

fn op(number: u8) -> Option<Op> {
    let all = [Op::Request, Op::Response, Op::Reset, Op::Shutdown, Op::Data, Op::CreditUpdate, Op::CreditRequest];
    all.get(usize::from(number % 8)).copied()
}

fn run(bench: &mut Bench, ports: &mut Vec<u32>) -> bool {
    for source in 0..3 {
        let mut polling = bench.workers[0].ready(source);
        let mut turns = 0;
        while let Ok(Polling::Again) = polling {
            turns += 1;
            assert!(turns < 10_000, "it turns in circles");
            polling = bench.workers[0].poll();
        }
        if polling.is_err() {
            return false;
        }
    }
    while let Some(used) = bench.drivers[0].take_used() {
        let header = Header::parse(used.data[..HEADER].try_into().unwrap());
        assert_eq!(used.written as usize, HEADER + header.len as usize);
        assert!(header.op.is_some());
        ports.push(header.src_port);
    }
    while bench.drivers[1].take_used().is_some() {}
    true
}

fuzz_target!(|steps: Vec<Step>| {
    PLACE.with_borrow(|(folder, listener)| {
        let path = folder.path().join("vm");
        let (mut device, _file) = Vsock::open(&VsockSpec { path: path.clone(), cid: 3 }).unwrap();
        let mut bench = Bench::start(&mut device, 0);
        let mut programs: Vec<UnixStream> = Vec::new();
        // Host ports that the device has used; packets go to them and to 7.
        let mut ports = vec![7];
        for step in steps.into_iter().take(200) {
            match step {
                Step::Packet { op: number, guest, host, flags, room, forwarded, len, broken } => {
                    let header = Header {
                        src_cid: 3,
                        dst_cid: 2,
                        src_port: u32::from(guest % 4),
                        dst_port: ports[usize::from(host) % ports.len()],
                        len: len.into(),
                        kind: STREAM,
                        op: op(number),
                        flags: flags.into(),
                        buf_alloc: room,
                        fwd_cnt: forwarded,
                    };
                    let mut bytes = header.bytes().to_vec();
                    bytes.resize(HEADER + usize::from(len), 0x5a);
                    broken.iter().for_each(|broken| broken.apply(&mut bytes));
                    bench.drivers[1].add(&[Part::Readable(&bytes)]);
                }
                Step::Post { count, len } => {
                    for _ in 0..count % 32 {
                        bench.drivers[0].add(&[Part::Writable(45 + usize::from(len))]);
                    }
                }
                Step::Run => {
                    if !run(&mut bench, &mut ports) {
                        break;
                    }
                }
                Step::Call { port, greeting } => {
                    let mut program = UnixStream::connect(&path).unwrap();
                    program.set_nonblocking(true).unwrap();
                    let words = greeting.unwrap_or_else(|| format!("CONNECT {}\n", port % 4).into_bytes());
                    let _ = program.write(&words);
                    programs.push(program);
                }
                Step::Accept => programs.extend(listener.accept().map(|(program, _)| program)),
                Step::Write { program, len } => {
                    if let Some(program) = programs.get_mut(usize::from(program)) {
                        let _ = program.write(&vec![0xa5; len.into()]);
                    }
                }
                Step::Read { program } => {
                    if let Some(program) = programs.get_mut(usize::from(program)) {
                        let _ = program.read(&mut [0; 40_000]);
                    }
                }
                Step::Leave { program } => {
                    if usize::from(program) < programs.len() {
                        programs.remove(program.into());
                    }
                }
            }
        }
        drop(programs);
        bench.workers[0].stop();
        // Programs that the device reached and nobody accepted must not wait for the next run.
        while listener.accept().is_ok() {}
    });
});
