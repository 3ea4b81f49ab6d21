use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::super::guest::{DRIVER_OK, Guest};
use super::super::{DEVICE_STATUS, ISR};
use super::*;
use crate::testkit::Part;
use crate::transport::core::InterruptLines as _;
use crate::transport::toy::until;

const LINE: u8 = 17;

/// A function without MSI-X, and how often its line was raised.
fn guest() -> (Guest, Arc<AtomicU64>) {
    let mut guest = Guest::new();
    let raised = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&raised);
    let line = Interrupt::from_fn(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    guest.transport.use_pin(line, LINE);
    (guest, raised)
}

fn isr(guest: &mut Guest) -> u8 {
    let mut out = [0];
    guest.transport.read_bar(ISR, &mut out);
    out[0]
}

fn waits(guest: &Guest) -> bool {
    guest.space(0x06, 2) & 1 << 3 != 0
}

#[test]
fn configuration_space_has_a_pin_and_no_msix() {
    let (mut guest, _) = guest();
    assert_eq!((guest.space(0x3c, 1), guest.space(0x3d, 1)), (LINE.into(), 1));
    let mut at = guest.space(0x34, 1) as usize;
    let mut capabilities = Vec::new();
    while at != 0 {
        capabilities.push(guest.space(at, 1));
        at = guest.space(at + 1, 1) as usize;
    }
    assert_eq!(capabilities, [0x09; 5], "the structures of VirtIO, and nothing else");
    let before: Vec<_> = (0x40..0x50).map(|offset| guest.space(offset, 1)).collect();
    for offset in 0x40..0x50 {
        guest.set_space(offset, 1, 0xff);
    }
    assert_eq!(
        before,
        (0x40..0x50).map(|offset| guest.space(offset, 1)).collect::<Vec<_>>(),
        "what was MSI-X is not there"
    );
}

#[test]
fn an_interrupt_raises_the_line_and_the_isr_says_why_until_it_is_read() {
    let (mut guest, raised) = guest();
    let [mut driver, _other] = guest.boot();
    driver.set_used_event(driver.available_index());
    driver.add(&[Part::Readable(b"echo"), Part::Writable(8)]).unwrap();
    guest.kick(0);
    until(|| raised.load(Ordering::SeqCst) == 1);
    assert!(waits(&guest));
    assert_eq!((isr(&mut guest), waits(&guest)), (1, false));
    assert_eq!(isr(&mut guest), 0, "reading acknowledges");
    assert_eq!(guest.board.take(), [], "no message was sent");
    guest.transport.routes.config();
    assert_eq!((isr(&mut guest), raised.load(Ordering::SeqCst)), (2, 2));
}

#[test]
fn a_line_that_is_disabled_is_raised_when_it_is_enabled_again() {
    let (mut guest, raised) = guest();
    guest.set_space(COMMAND as u64, 2, (COMMAND_DISABLE | 4).into());
    guest.transport.routes.queue(0);
    assert_eq!((raised.load(Ordering::SeqCst), waits(&guest)), (0, true), "silent, but visible");
    guest.set_space(COMMAND as u64, 2, 4);
    assert_eq!(raised.load(Ordering::SeqCst), 1);
    assert_eq!((isr(&mut guest), waits(&guest)), (1, false));
}

#[test]
fn a_reset_takes_back_what_waits() {
    let (mut guest, _) = guest();
    guest.boot();
    guest.transport.routes.queue(1);
    guest.set_status(0);
    assert_eq!((isr(&mut guest), waits(&guest)), (0, false));
    guest.boot();
    let mut status = [0];
    guest.transport.read_bar(DEVICE_STATUS as u64, &mut status);
    assert_eq!(status[0], DRIVER_OK);
}
