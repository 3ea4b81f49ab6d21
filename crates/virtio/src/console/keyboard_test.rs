use std::io::Read;

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::*;

/// A keyboard whose keys come from a pipe, with what the guest reads.
fn keyboard() -> (Keyboard, std::io::PipeWriter, UnixStream, EventFd) {
    let (terminal, person) = std::io::pipe().unwrap();
    let leave = EventFd::new(EFD_NONBLOCK).unwrap();
    let (keyboard, device) = Keyboard::open(terminal.into()).unwrap();
    let keyboard = keyboard.on_leave(Interrupt::from_eventfd(leave.try_clone().unwrap()));
    (keyboard, person, device.into(), leave)
}

/// All that the guest can read now.
fn guest(device: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match device.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        other => drop(other.unwrap()),
    }
    bytes
}

#[test]
fn keys_reach_the_guest_and_ctrl_a_x_reaches_the_monitor() {
    let (mut keyboard, mut person, mut device, leave) = keyboard();
    person.write_all(b"ls\n").unwrap();
    assert_eq!(keyboard.ready(1).unwrap(), Polling::Sleep);
    assert_eq!(guest(&mut device), b"ls\n");
    assert!(leave.read().is_err(), "no key leaves");
    person.write_all(b"q\x01x").unwrap();
    keyboard.ready(1).unwrap();
    assert_eq!((guest(&mut device), leave.read().unwrap()), (b"q".to_vec(), 1));
}

#[test]
fn ctrl_a_x_works_without_a_guest() {
    let (mut keyboard, mut person, device, leave) = keyboard();
    drop(device);
    person.write_all(b"hello?").unwrap();
    keyboard.ready(1).unwrap();
    person.write_all(b"\x01x").unwrap();
    keyboard.ready(1).unwrap();
    assert_eq!(leave.read().unwrap(), 1);
}

#[test]
fn the_end_of_the_terminal_is_the_end_of_the_guests_input() {
    let (mut keyboard, mut person, mut device, _leave) = keyboard();
    person.write_all(b"bye").unwrap();
    drop(person);
    keyboard.ready(1).unwrap();
    keyboard.ready(1).unwrap();
    let mut all = Vec::new();
    device.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"bye");
}

#[test]
fn what_the_guest_does_not_take_at_once_waits_in_order() {
    let (mut keyboard, mut person, mut device, _leave) = keyboard();
    let pasted: Vec<u8> = (0..1 << 20).map(|n| (n % 250 + 2) as u8).collect();
    let sent = pasted.clone();
    let typist = std::thread::spawn(move || person.write_all(&sent).unwrap());
    let mut seen = Vec::new();
    while seen.len() < pasted.len() {
        keyboard.ready(0).unwrap();
        assert!(keyboard.held.len() <= MAX_HELD);
        seen.extend(guest(&mut device));
    }
    typist.join().unwrap();
    assert!(seen == pasted);
}

#[test]
fn ctrl_a_x_is_heard_behind_keys_that_the_guest_never_takes() {
    let (mut keyboard, mut person, mut device, leave) = keyboard();
    let typist = std::thread::spawn(move || {
        person.write_all(&vec![b'.'; 3 * MAX_HELD]).unwrap();
        person.write_all(b"\x01x").unwrap();
        person
    });
    while leave.read().is_err() {
        keyboard.ready(1).unwrap();
        assert!(keyboard.held.len() <= MAX_HELD);
    }
    // What was kept is handed on once the guest reads, and so is what is typed then.
    let mut person = typist.join().unwrap();
    let mut kept = 0;
    while !keyboard.held.is_empty() {
        kept += guest(&mut device).len();
        keyboard.ready(0).unwrap();
    }
    kept += guest(&mut device).len();
    assert!(kept >= MAX_HELD, "{kept}");
    person.write_all(b"later").unwrap();
    keyboard.ready(1).unwrap();
    assert_eq!(guest(&mut device), b"later");
}

#[test]
fn the_end_of_the_terminal_waits_behind_what_is_held() {
    let (mut keyboard, mut person, mut device, _leave) = keyboard();
    let typist = std::thread::spawn(move || person.write_all(&vec![b'.'; 1 << 19]).unwrap());
    while !typist.is_finished() {
        keyboard.ready(1).unwrap();
    }
    typist.join().unwrap();
    let mut seen = 0;
    while seen < 1 << 19 {
        keyboard.ready(1).unwrap();
        seen += guest(&mut device).len();
    }
    keyboard.ready(0).unwrap();
    assert_eq!(device.read(&mut [0; 16]).unwrap(), 0, "the end came before all keys, or not at all");
}
