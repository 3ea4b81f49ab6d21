//! The little that is left of the PC, each piece there for a reason: an IOAPIC with as many pins as
//! the machine has line interrupts, the ports of hardware-reduced ACPI, and a UART and a real-time clock, only
//! where the configuration asks for them.

pub mod acpi_ports;
pub mod ioapic;
pub mod rtc;
pub mod serial;
