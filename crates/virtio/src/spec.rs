//! Numbers of the VirtIO 1.3 specification that devices and transports share.

/// Device status bits, § 2.1.
pub mod status {
    /// The driver has seen the device.
    pub const ACKNOWLEDGE: u8 = 1;
    /// The driver knows how to drive it.
    pub const DRIVER: u8 = 2;
    /// The driver is ready: the device may work.
    pub const DRIVER_OK: u8 = 4;
    /// Both sides agree on the features.
    pub const FEATURES_OK: u8 = 8;
    /// The device has given up until it is reset.
    pub const NEEDS_RESET: u8 = 64;
    /// The driver has given up.
    pub const FAILED: u8 = 128;
}

/// Feature bits that belong to no device type, § 6.
pub mod feature {
    /// Descriptors that point to tables of descriptors, § 2.7.5.3.
    pub const INDIRECT_DESC: u64 = 1 << 28;
    /// Notifications wanted at an index rather than on or off, § 2.7.7.2 and § 2.7.10.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// Not a legacy device.
    pub const VERSION_1: u64 = 1 << 32;
}

/// What a device is. Each device's file has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The device id of § 5.
    pub id: u16,
    /// A word for tables and messages.
    pub name: &'static str,
    /// PCI class, subclass and interface, as PCI Code and ID Assignment has them.
    pub pci_class: [u8; 3],
}
