use super::super::guest::{DRIVER_OK, Event, Guest, RESET_WANTED};
use super::super::{
    CONFIG_MSIX_VECTOR, DEVICE_STATUS, ISR, MSIX_PENDING, MSIX_TABLE, NO_VECTOR, NUM_QUEUES, QUEUE_MSIX_VECTOR,
    QUEUE_SELECT,
};
use super::*;
use crate::testkit::Part;
use crate::transport::toy::{Toy, until};

const CONTROL_REGISTER: u64 = 0x42;
const ENABLE: u32 = 1 << 15;
const MASK_ALL: u32 = 1 << 14;
const NOTHING: [Event; 0] = [];

fn message(vector: u16) -> MsiMessage {
    MsiMessage { address: 0xfee0_0000 | u64::from(vector) << 12, data: 0x4000 + u32::from(vector) }
}

impl Guest {
    fn entry(&mut self, vector: u16, word: u64) -> u32 {
        self.load(MSIX_TABLE as u64 + 16 * u64::from(vector) + 4 * word, 4) as u32
    }

    fn set_entry(&mut self, vector: u16, word: u64, value: u32) {
        self.store(MSIX_TABLE as u64 + 16 * u64::from(vector) + 4 * word, 4, value.into());
    }

    fn set_mask(&mut self, vector: u16, masked: bool) {
        self.set_entry(vector, 3, masked.into());
    }

    /// `pci_write_msg_msix`: masked, three words, and unmasked again if it was.
    fn write_message(&mut self, vector: u16, message: MsiMessage) {
        let control = self.entry(vector, 3);
        self.set_entry(vector, 3, control | 1);
        self.set_entry(vector, 0, message.address as u32);
        self.set_entry(vector, 1, (message.address >> 32) as u32);
        self.set_entry(vector, 2, message.data);
        self.set_entry(vector, 3, control);
    }

    /// `msix_capability_init` and `request_irq`: everything masked as a whole, each entry masked, the
    /// messages written, the whole unmasked, and the vectors one by one.
    fn enable_msix(&mut self, vectors: u16) {
        let control = self.space(CONTROL_REGISTER as usize, 2);
        assert_eq!(control & 0x7ff, u32::from(vectors) - 1, "the size of the table");
        self.set_space(CONTROL_REGISTER, 2, control | ENABLE | MASK_ALL);
        for vector in 0..vectors {
            self.set_mask(vector, true);
        }
        for vector in 0..vectors {
            self.write_message(vector, message(vector));
        }
        self.set_space(CONTROL_REGISTER, 2, control | ENABLE);
        assert_eq!(self.board.take(), [], "nothing is routed while every entry is masked");
        for vector in 0..vectors {
            self.set_mask(vector, false);
            assert_eq!(self.board.take(), [Event::Routed(vector, Some(message(vector)))]);
        }
    }

    fn pending(&mut self, vector: u16) -> bool {
        self.load(MSIX_PENDING as u64 + u64::from(vector) / 64 * 8, 8) & 1 << (vector % 64) != 0
    }
}

#[test]
fn a_driver_like_linux_routes_each_vector_once_and_hears_it() {
    let mut guest = Guest::new();
    guest.enable_msix(3);
    let [mut first, mut second] = guest.boot();
    for _ in 0..20 {
        guest.echo(&mut first, 0);
        guest.echo(&mut second, 1);
    }
    guest.record.config.lock().unwrap().as_ref().unwrap().update(0, &[1]);
    assert_eq!(guest.board.take(), [Event::Raised(0)]);
    // `vp_del_vqs` and `pci_disable_msix`: the reset first, the vectors later.
    guest.set_status(0);
    assert_eq!(guest.board.take(), NOTHING, "a reset of the device leaves the function's table alone");
    guest.set_space(CONTROL_REGISTER, 2, 0);
    assert_eq!(guest.board.take(), [0, 1, 2].map(|vector| Event::Routed(vector, None)));
    guest.set_mask(0, true);
    assert_eq!(guest.board.take(), NOTHING);
}

#[test]
fn moving_a_vector_to_another_cpu_is_one_route_away_and_one_back() {
    let mut guest = Guest::new();
    guest.enable_msix(3);
    guest.write_message(1, message(9));
    assert_eq!(guest.board.take(), [Event::Routed(1, None), Event::Routed(1, Some(message(9)))]);
    // The same again, masked or not: nothing to tell but the mask.
    guest.set_mask(1, false);
    assert_eq!(guest.board.take(), NOTHING);
}

#[test]
fn the_mask_of_the_function_stops_every_vector() {
    let mut guest = Guest::new();
    guest.enable_msix(3);
    guest.set_space(CONTROL_REGISTER, 2, ENABLE | MASK_ALL);
    assert_eq!(guest.board.take(), [0, 1, 2].map(|vector| Event::Routed(vector, None)));
    guest.set_space(CONTROL_REGISTER, 2, ENABLE);
    assert_eq!(guest.board.take(), [0, 1, 2].map(|vector| Event::Routed(vector, Some(message(vector)))));
    // By the byte of the register that holds the bits.
    guest.set_space(CONTROL_REGISTER + 1, 1, MASK_ALL >> 8);
    assert_eq!(guest.board.take().len(), 3);
    assert_eq!(guest.space(CONTROL_REGISTER as usize, 2), MASK_ALL | 2);
}

#[test]
fn what_is_raised_while_masked_is_pending_and_comes_when_unmasked() {
    let mut guest = Guest::new();
    guest.enable_msix(3);
    let [mut driver, _] = guest.boot();
    guest.set_mask(1, true);
    guest.board.take();
    driver.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    until(|| guest.pending(1));
    assert!(!guest.pending(0) && !guest.pending(2));
    until(|| driver.take_used().is_some());
    guest.set_mask(1, false);
    until(|| guest.board.raised.load(Ordering::SeqCst) == 1);
    let events = guest.board.take();
    assert_eq!(events, [Event::Routed(1, Some(message(1))), Event::Raised(1)]);
    assert!(!guest.pending(1));
}

#[test]
fn a_vector_that_does_not_exist_reads_back_as_none_and_nothing_is_raised() {
    let mut guest = Guest::new();
    guest.enable_msix(3);
    for (value, back) in [(2, 2), (3, NO_VECTOR), (1, 1), (NO_VECTOR, NO_VECTOR), (0x100, NO_VECTOR)] {
        for register in [CONFIG_MSIX_VECTOR, QUEUE_MSIX_VECTOR] {
            guest.store(register as u64, 2, u64::from(value));
            assert_eq!(guest.load(register as u64, 2), u64::from(back));
        }
    }
    let [mut driver, _] = guest.boot();
    guest.store(QUEUE_SELECT as u64, 2, 0);
    guest.store(QUEUE_MSIX_VECTOR as u64, 2, 3);
    driver.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    until(|| driver.take_used().is_some());
    let config = guest.record.config.lock().unwrap().clone().unwrap();
    guest.store(CONFIG_MSIX_VECTOR as u64, 2, 77);
    config.update(0, &[1]);
    // Stops the workers: whatever they were about to raise is raised.
    guest.set_status(0);
    config.update(0, &[2]);
    assert_eq!(guest.board.take(), NOTHING);
}

#[test]
fn without_msix_the_isr_says_why_once() {
    let mut guest = Guest::new();
    let [mut driver, _] = guest.boot();
    driver.add(&[Part::Writable(1)]).unwrap();
    guest.kick(0);
    until(|| driver.take_used().is_some());
    guest.record.config.lock().unwrap().as_ref().unwrap().update(0, &[1]);
    let mut isr = [0xff; 4];
    until(|| {
        guest.transport.read_bar(ISR, &mut isr[..1]);
        isr[0] & 1 != 0
    });
    guest.transport.read_bar(ISR, &mut []);
    guest.transport.read_bar(ISR, &mut isr);
    assert_eq!(isr, [0; 4], "reading took it away");
    guest.record.config.lock().unwrap().as_ref().unwrap().update(0, &[1]);
    guest.set_status(0);
    guest.transport.read_bar(ISR, &mut isr);
    assert_eq!(isr[0], 0, "and so does a reset");
    assert_eq!(guest.board.take(), NOTHING);
}

#[test]
fn a_broken_ring_is_told_by_the_vector_of_the_configuration() {
    let mut guest = Guest::new();
    guest.enable_msix(3);
    let [mut driver, _] = guest.boot();
    driver.set_available_index(1000);
    guest.kick(0);
    until(|| guest.board.raised.load(Ordering::SeqCst) == 1);
    assert_eq!(guest.board.take(), [Event::Raised(0)]);
    assert_eq!(guest.status(), DRIVER_OK | RESET_WANTED);
    guest.ram.window(illico_memory::GuestAddress(0), 0x1_0000).unwrap().fill(0, 0x1_0000, 0);
    guest.board.raised.store(0, Ordering::SeqCst);
    let [mut driver, _] = guest.boot();
    guest.echo(&mut driver, 0);
}

#[test]
fn the_table_is_written_by_words_or_pairs_of_them_and_by_nothing_else() {
    let mut guest = Guest::new();
    for vector in 0..3 {
        let words: Vec<_> = (0..4).map(|word| guest.entry(vector, word)).collect();
        assert_eq!(words, [0, 0, 0, 1], "masked after a reset");
    }
    let before = guest.memory_of_table();
    for (offset, width) in [(0, 1), (0, 2), (2, 4), (4, 8), (12, 8), (48, 4), (48, 8), (0x7f8, 8)] {
        guest.store(MSIX_TABLE as u64 + offset, width, 0x0101_0101_0101_0101);
    }
    guest.store(MSIX_PENDING as u64, 8, u64::MAX);
    assert!(guest.memory_of_table() == before);
    guest.set_space(CONTROL_REGISTER, 2, ENABLE);
    guest.store(MSIX_TABLE as u64 + 16, 8, message(1).address);
    guest.store(MSIX_TABLE as u64 + 24, 8, message(1).data.into());
    assert_eq!(guest.board.take(), [Event::Routed(1, Some(message(1)))]);
}

impl Guest {
    fn memory_of_table(&self) -> Vec<u8> {
        let mut image = vec![0; 0x1000];
        self.memory.copy_to(MSIX_TABLE, &mut image);
        image
    }
}

#[test]
fn more_queues_than_the_table_has_room_for_share_its_vectors() {
    for (queues, vectors) in [(1, 2), (63, 64), (64, 65), (127, 128), (128, 128), (129, 128), (300, 128)] {
        let mut guest = Guest::of(Toy { queues: Some(queues), ..Toy::default() });
        assert_eq!(guest.load(NUM_QUEUES as u64, 2), queues as u64);
        assert_eq!(guest.space(CONTROL_REGISTER as usize, 2) & 0x7ff, vectors - 1);
        assert_eq!(u32::from(super::super::PciTransport::vectors_for(queues)), vectors);
        guest.enable_msix(vectors as u16);
        let last = vectors as u16 - 1;
        guest.store(CONFIG_MSIX_VECTOR as u64, 2, last.into());
        guest.store(DEVICE_STATUS as u64, 1, DRIVER_OK.into());
        guest.set_mask(last, true);
        assert_eq!(guest.board.take(), [Event::Routed(last, None)]);
        guest.transport.routes.raise(last, 1);
        let pending: Vec<_> = (0..vectors as u16).filter(|&vector| guest.pending(vector)).collect();
        assert_eq!(pending, [last]);
    }
}

/// § 4.1.4.5.1.
#[test]
fn a_configuration_change_sets_the_isr_bit_with_msix_too() {
    let mut guest = Guest::new();
    guest.set_space(0x42, 2, 0x8000);
    guest.boot();
    guest.record.config.lock().unwrap().as_ref().unwrap().update(0, &[1]);
    let mut isr = [0];
    guest.transport.read_bar(ISR, &mut isr);
    assert_eq!(isr[0], 2);
}
