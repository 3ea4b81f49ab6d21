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

/// What a device is, with its id of § 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A network card, § 5.1.
    Net,
    /// A disk, § 5.2.
    Block,
    /// A terminal, § 5.3.
    Console,
    /// A source of random bytes, § 5.4.
    Entropy,
    /// Streams between programs of the guest and of the host, § 5.10.
    Vsock,
    /// A folder of the host, § 5.11.
    Fs,
    /// Host memory that the guest maps, § 5.19.
    Pmem,
}

impl Kind {
    /// The device id of § 5.
    pub fn id(self) -> u16 {
        match self {
            Self::Net => 1,
            Self::Block => 2,
            Self::Console => 3,
            Self::Entropy => 4,
            Self::Vsock => 19,
            Self::Fs => 26,
            Self::Pmem => 27,
        }
    }

    /// A word for tables and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Block => "block",
            Self::Console => "console",
            Self::Entropy => "entropy",
            Self::Vsock => "vsock",
            Self::Fs => "fs",
            Self::Pmem => "pmem",
        }
    }

    /// PCI class, subclass and interface, as PCI Code and ID Assignment has them.
    pub fn pci_class(self) -> [u8; 3] {
        match self {
            Self::Net => [0x02, 0x00, 0x00],
            Self::Block => [0x01, 0x80, 0x00],
            Self::Console => [0x07, 0x80, 0x00],
            Self::Entropy => [0xff, 0x00, 0x00],
            Self::Vsock => [0x07, 0x80, 0x00],
            Self::Fs => [0x01, 0x80, 0x00],
            Self::Pmem => [0x05, 0x80, 0x00],
        }
    }
}
