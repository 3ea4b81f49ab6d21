//! Flow control of one connection (VirtIO 1.3 § 5.10.6.3): two counters that run freely modulo 2^32, and two
//! buffer sizes. Each side sends no more than the other has room for.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// What a connection may keep here at most, in bytes: `buf_alloc` in each packet to the guest.
pub const ROOM: u32 = 256 << 10;

/// From the guest to the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incoming {
    received: u32,
    forwarded: u32,
    /// `forwarded` as the guest last heard it.
    told: u32,
}

impl Incoming {
    /// Takes `len` bytes. `false` where the guest had no right to send that many.
    #[must_use]
    pub fn receive(&mut self, len: u32) -> bool {
        let kept = self.received.wrapping_sub(self.forwarded);
        let fits = kept.checked_add(len).is_some_and(|kept| kept <= ROOM);
        if fits {
            self.received = self.received.wrapping_add(len);
        }
        fits
    }

    /// The host has taken `len` of them.
    pub fn forward(&mut self, len: u32) {
        self.forwarded = self.forwarded.wrapping_add(len);
    }

    /// `fwd_cnt` of a packet that is about to be sent.
    pub fn tell(&mut self) -> u32 {
        self.told = self.forwarded;
        self.forwarded
    }

    /// Whether the guest should hear of room even if there is nothing else to say: once for half of it. A guest
    /// that waits has all of the room in use; what it has not heard of is then either at least half, or the rest is
    /// still kept here and will make it so.
    pub fn worth_telling(&self) -> bool {
        self.forwarded.wrapping_sub(self.told) >= ROOM / 2
    }
}

/// From the host to the guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outgoing {
    sent: u32,
    buf_alloc: u32,
    fwd_cnt: u32,
}

impl Outgoing {
    /// What a packet of the guest says about its room.
    pub fn hear(&mut self, buf_alloc: u32, fwd_cnt: u32) {
        (self.buf_alloc, self.fwd_cnt) = (buf_alloc, fwd_cnt);
    }

    /// Bytes that the guest has room for. None where its numbers make no sense.
    pub fn room(&self) -> u32 {
        self.buf_alloc.saturating_sub(self.sent.wrapping_sub(self.fwd_cnt))
    }

    /// `len` bytes go out.
    pub fn send(&mut self, len: u32) {
        self.sent = self.sent.wrapping_add(len);
    }
}

#[cfg(test)]
#[path = "credit_test.rs"]
mod tests;
