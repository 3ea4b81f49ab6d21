//! What the exchange keeps while a guest posts no buffers.

use std::os::unix::net::UnixListener;

use illico_memory::Buffers;

use super::super::VsockSpec;
use super::super::testkit::{CID, packet};
use super::*;

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm");
    let (listener, _file) = Listener::open(&VsockSpec { path, cid: CID as u32 }).unwrap();
    let mut exchange = Exchange::new(CID, Arc::new(listener)).unwrap();
    let program = UnixListener::bind(folder.path().join("vm_7")).unwrap();
    let receive = |exchange: &mut Exchange, op, port| {
        exchange.receive(&packet(op, port, 7), Some(&mut Buffers::new(crate::testkit::ram(1 << 20))));
    };
    // The answer to this one stands in front, and is never taken.
    receive(&mut exchange, Op::Request, 1);
    let _first = program.accept().unwrap();
    for port in 2..2000 {
        receive(&mut exchange, Op::Request, port);
        drop(program.accept().unwrap());
        receive(&mut exchange, Op::Reset, port);
        exchange.host_events();
    }
    let kept = (exchange.line.len(), exchange.members.len(), exchange.by_ports.len(), exchange.resets.len());
    assert_eq!((kept, exchange.from_guest), ((1, 1, 1, 0), 1));
}
