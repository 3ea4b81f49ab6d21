//! The warm boot mark of the PC BIOS: it distinguishes a reset after a panic from any other.
//!
//! Linux on x86 writes 0x1234 to address 0x472 before a warm reset, and 0 before a cold one. The default
//! command line asks for warm resets after a panic and for nothing else, so the mark says which it was,
//! also in guests whose pvpanic driver is a module that is not loaded. It costs no exit.

use illico_memory::{GuestAddress, Ram};

const AT: GuestAddress = GuestAddress(0x472);
const WARM: u16 = 0x1234;

/// Whether the reset that the guest just asked for is a warm one.
pub fn is_set(ram: &Ram) -> bool {
    let mut mark = [0; 2];
    ram.read(AT, &mut mark).is_ok() && u16::from_le_bytes(mark) == WARM
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::testkit::ram;

    #[test]
    fn only_the_mark_itself_counts() {
        let ram = ram(16);
        assert!(!is_set(&ram));
        ram.write(AT, &[0x34, 0x12]).unwrap();
        assert!(is_set(&ram));
        ram.write(AT, &[0, 0]).unwrap();
        assert!(!is_set(&ram));
    }
}
