use std::io::{Read, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Registers and bits of the 16550's data sheet.
const INTERRUPT_ENABLE: u8 = 1;
const INTERRUPT_IDENTIFICATION: u8 = 2;
const MODEM_CONTROL: u8 = 4;
const LINE_STATUS: u8 = 5;
const RECEIVED_DATA: u8 = 1;
const DATA_READY: u8 = 1;
const LOOPBACK: u8 = 1 << 4;

fn uart(output: impl Write + Send + 'static) -> (Serial, Arc<AtomicU32>) {
    let interrupts = Arc::new(AtomicU32::new(0));
    let raised = Arc::clone(&interrupts);
    let raise = move || {
        raised.fetch_add(1, Ordering::SeqCst);
    };
    (Serial::new(raise, output), interrupts)
}

/// What a driver reads for as long as there is data.
fn drain(uart: &mut Serial) -> Vec<u8> {
    let mut bytes = Vec::new();
    while uart.read(LINE_STATUS) & DATA_READY != 0 {
        bytes.push(uart.read(DATA));
    }
    bytes
}

#[test]
fn each_character_is_a_write_and_comes_out_at_once() {
    let (mut screen, output) = pipe().unwrap();
    let (mut uart, _) = uart(output);
    let mut seen = [0; 1];
    for character in *b"Hi\n" {
        uart.write(DATA, character);
        screen.read_exact(&mut seen).unwrap();
        assert_eq!(seen, [character]);
    }
}

#[test]
fn an_unread_output_does_not_stop_the_guest() {
    let (screen, output) = pipe().unwrap();
    drop(screen);
    let (mut uart, _) = uart(output);
    uart.write(DATA, b'x');
    assert_ne!(uart.read(LINE_STATUS) & 1 << 5, 0, "ready for the next character");
}

#[test]
fn input_raises_an_interrupt_where_the_driver_wants_one() {
    let (mut uart, interrupts) = uart(std::io::sink());
    assert_eq!(uart.input(b"a"), 1);
    assert_eq!(interrupts.load(Ordering::SeqCst), 0);
    uart.write(INTERRUPT_ENABLE, RECEIVED_DATA);
    assert_eq!(interrupts.load(Ordering::SeqCst), 1, "what had arrived before is told of, too");
    assert_eq!(uart.read(INTERRUPT_IDENTIFICATION) & 0xf, 4);
    assert_eq!(drain(&mut uart), b"a");
    uart.input(b"b");
    assert_eq!(interrupts.load(Ordering::SeqCst), 2);
}

#[test]
fn more_than_the_fifo_holds_waits_behind_it_in_order() {
    let (mut uart, interrupts) = uart(std::io::sink());
    uart.write(INTERRUPT_ENABLE, RECEIVED_DATA);
    let typed: Vec<u8> = (0..1000).map(|n| n as u8).collect();
    assert_eq!(uart.input(&typed), 1000);
    assert_eq!(drain(&mut uart), typed);
    assert_eq!(interrupts.load(Ordering::SeqCst), 1000_u32.div_ceil(64), "one for each filling of the FIFO");
}

#[test]
fn typing_ahead_is_bounded() {
    let (mut uart, _) = uart(std::io::sink());
    // 64 bytes fit into the FIFO once they are there.
    assert_eq!(uart.input(&vec![1; TYPED_AHEAD + 100]), TYPED_AHEAD);
    assert_eq!(uart.input(&[2; 100]), FIFO);
    assert_eq!(uart.input(b"lost"), 0);
    assert_eq!(drain(&mut uart).len(), TYPED_AHEAD + FIFO);
}

#[test]
fn in_loopback_the_line_is_cut_and_input_waits() {
    let (mut uart, _) = uart(std::io::sink());
    uart.write(MODEM_CONTROL, LOOPBACK);
    uart.input(b"typed");
    uart.write(DATA, b'!');
    assert_eq!(drain(&mut uart), b"!");
    uart.write(MODEM_CONTROL, 0);
    assert_eq!(drain(&mut uart), b"typed");
}
