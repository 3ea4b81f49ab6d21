//! The ports that the ACPI tables name: sleep and reset registers of hardware-reduced ACPI (ACPI 6.5
//! § 4.8.3.7, § 4.8.3.6), and pvpanic (QEMU docs/specs/pvpanic), by which a guest says that it crashed.

use crate::arch::acpi::{PVPANIC_PORT, RESET_PORT, RESET_VALUE, SLEEP_CONTROL_PORT, SLEEP_STATUS_PORT, SLEEP_TYPE_OFF};

const SLEEP_ENABLE: u8 = 1 << 5;
const PANICKED: u8 = 1 << 0;
const CRASH_LOADED: u8 = 1 << 1;

/// What a guest asked for through one of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerRequest {
    /// Power off.
    PowerOff,
    /// Reset.
    Reset,
    /// Its kernel panicked.
    Panicked,
}

/// A byte read from a port, if it is one of these.
pub fn read(port: u16) -> Option<u8> {
    match port {
        SLEEP_CONTROL_PORT | SLEEP_STATUS_PORT | RESET_PORT => Some(0),
        PVPANIC_PORT => Some(PANICKED | CRASH_LOADED),
        _ => None,
    }
}

/// What a byte written to a port means, if it is one of these and means anything.
pub fn write(port: u16, value: u8) -> Option<PowerRequest> {
    match port {
        SLEEP_CONTROL_PORT if value & SLEEP_ENABLE != 0 && value >> 2 & 7 == SLEEP_TYPE_OFF => {
            Some(PowerRequest::PowerOff)
        }
        RESET_PORT if value == RESET_VALUE => Some(PowerRequest::Reset),
        PVPANIC_PORT if value & PANICKED != 0 => Some(PowerRequest::Panicked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_s5_with_the_enable_bit_powers_off() {
        assert_eq!(write(SLEEP_CONTROL_PORT, 5 << 2 | 1 << 5), Some(PowerRequest::PowerOff));
        assert_eq!(write(SLEEP_CONTROL_PORT, 5 << 2), None);
        assert_eq!(write(SLEEP_CONTROL_PORT, 3 << 2 | 1 << 5), None);
    }

    #[test]
    fn a_panic_is_told_from_a_reset() {
        assert_eq!(
            (write(PVPANIC_PORT, 1), write(RESET_PORT, 1), write(RESET_PORT, 0)),
            (Some(PowerRequest::Panicked), Some(PowerRequest::Reset), None)
        );
    }
}
