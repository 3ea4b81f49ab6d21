//! Feature bits of the network device (VirtIO 1.3 § 5.1.3), and which of them make which [`Offloads`].
//!
//! Not offered, and why:
//! - `CTRL_RX`, `CTRL_VLAN`, `CTRL_MAC_ADDR`: filters. The card is promiscuous: the host's bridge does not send
//!   what the guest must not see.
//! - `CTRL_GUEST_OFFLOADS`: changing offloads while running. Guests forward well without it, since
//!   the kernel of the guest segments again what it may not pass on.
//! - `GUEST_UFO`, `HOST_UFO`: Linux stopped making such datagrams in 4.14.
//! - `RSS`, `HASH_REPORT`: the host's tap chooses the queue, by flow.

/// Frames from the driver may have a checksum left to be filled in.
pub const CSUM: u64 = 1 << 0;
/// Frames to the driver may have.
pub const GUEST_CSUM: u64 = 1 << 1;
/// The device says how long a frame may be.
pub const MTU: u64 = 1 << 3;
/// The device has a MAC address.
pub const MAC: u64 = 1 << 5;
/// Frames to the driver may be long TCP segments over IPv4.
pub const GUEST_TSO4: u64 = 1 << 7;
/// The same over IPv6.
pub const GUEST_TSO6: u64 = 1 << 8;
/// The same with explicit congestion notification.
pub const GUEST_ECN: u64 = 1 << 9;
/// Frames from the driver may be long TCP segments over IPv4.
pub const HOST_TSO4: u64 = 1 << 11;
/// The same over IPv6.
pub const HOST_TSO6: u64 = 1 << 12;
/// The same with explicit congestion notification.
pub const HOST_ECN: u64 = 1 << 13;
/// A frame to the driver may lie in several chains.
pub const MRG_RXBUF: u64 = 1 << 15;
/// The device says whether the link is up.
pub const STATUS: u64 = 1 << 16;
/// There is a control queue.
pub const CTRL_VQ: u64 = 1 << 17;
/// There are several pairs of queues.
pub const MQ: u64 = 1 << 22;
/// Frames to the driver may be many UDP datagrams over IPv4 in one.
pub const GUEST_USO4: u64 = 1 << 54;
/// The same over IPv6.
pub const GUEST_USO6: u64 = 1 << 55;
/// Frames from the driver may be.
pub const HOST_USO: u64 = 1 << 56;

/// What every port can do, since it is the card's own work.
pub const OF_STREAM: u64 = MAC | MRG_RXBUF | STATUS;
/// What every tap can do: the oldest kernel that has KVM as we need it has all of this.
pub const OF_TAP: u64 =
    OF_STREAM | CSUM | GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6 | GUEST_ECN | HOST_TSO4 | HOST_TSO6 | HOST_ECN;
/// With a tap of Linux 6.2 or later.
pub const USO: u64 = GUEST_USO4 | GUEST_USO6 | HOST_USO;

/// What a port may leave to the driver in the frames that it hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offloads {
    /// Checksums to be filled in. Without it there is nothing else.
    pub checksum: bool,
    /// Long TCP segments over IPv4.
    pub tso4: bool,
    /// Long TCP segments over IPv6.
    pub tso6: bool,
    /// Either of them with ECN.
    pub ecn: bool,
    /// Many UDP datagrams in one, over both: a tap does not tell them apart.
    pub uso: bool,
}

impl Offloads {
    /// What the driver has agreed to. What a feature depends on (§ 5.1.3.1) is asked for here, so a
    /// driver that takes one without the other gets neither.
    pub fn agreed(features: u64) -> Self {
        let has = |bits| features & bits == bits;
        let checksum = has(GUEST_CSUM);
        let (tso4, tso6) = (checksum && has(GUEST_TSO4), checksum && has(GUEST_TSO6));
        Self {
            checksum,
            tso4,
            tso6,
            ecn: (tso4 || tso6) && has(GUEST_ECN),
            uso: checksum && has(GUEST_USO4 | GUEST_USO6),
        }
    }

    /// Whether a frame may be longer than what the wire takes.
    pub fn long_frames(self) -> bool {
        self.tso4 || self.tso6 || self.uso
    }
}

/// What a driver may leave to the device in the header of a frame that it sends (§ 5.1.6.2): what it negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    features: u64,
}

/// In the flags: the checksum is left to be filled in.
const F_NEEDS_CSUM: u8 = 1;
/// Kinds of long frames, and the bit for ECN.
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

impl Allowed {
    pub(super) fn by(features: u64) -> Self {
        Self { features }
    }

    /// Whether a frame may have these first two bytes, the flags and the kind of long frame.
    pub(super) fn permits(self, [flags, gso]: [u8; 2]) -> bool {
        let wanted = [
            (flags & F_NEEDS_CSUM != 0, CSUM),
            (gso & GSO_ECN != 0, HOST_ECN),
            (gso & !GSO_ECN == GSO_TCPV4, HOST_TSO4),
            (gso & !GSO_ECN == GSO_TCPV6, HOST_TSO6),
            (gso & !GSO_ECN == GSO_UDP_L4, HOST_USO),
        ];
        wanted.into_iter().all(|(asked, feature)| !asked || self.features & feature != 0)
    }
}

#[cfg(test)]
#[path = "feature_test.rs"]
mod tests;
