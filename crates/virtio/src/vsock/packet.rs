//! The header of every vsock packet (VirtIO 1.3 § 5.10.6): read from what a guest wrote, and written for it.
//!
//! Which packets make sense when is for a connection to say; here is only what the bytes mean.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of a header in bytes.
pub const HEADER: usize = 44;

/// `VMADDR_CID_HOST`, § 5.10.4: the context id of the host.
pub const HOST_CID: u64 = 2;

/// `VIRTIO_VSOCK_TYPE_STREAM`, the one type that is offered.
pub const STREAM: u16 = 1;

/// Flags of a SHUTDOWN, § 5.10.6.6: its sender receives no more, sends no more.
pub mod down {
    /// `VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE`.
    pub const RECEIVE: u32 = 1;
    /// `VIRTIO_VSOCK_SHUTDOWN_F_SEND`.
    pub const SEND: u32 = 2;
    /// Both: the end of a connection.
    pub const BOTH: u32 = RECEIVE | SEND;
}

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Asks for a connection.
    Request,
    /// Grants it.
    Response,
    /// Refuses or ends it at once.
    Reset,
    /// Ends one or both of its directions.
    Shutdown,
    /// Carries bytes.
    Data,
    /// Tells how much room there is.
    CreditUpdate,
    /// Asks for that.
    CreditRequest,
}

impl Op {
    fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Reset,
            4 => Self::Shutdown,
            5 => Self::Data,
            6 => Self::CreditUpdate,
            7 => Self::CreditRequest,
            _ => return None,
        })
    }

    fn number(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Reset => 3,
            Self::Shutdown => 4,
            Self::Data => 5,
            Self::CreditUpdate => 6,
            Self::CreditRequest => 7,
        }
    }
}

/// `struct virtio_vsock_hdr`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    src_cid: U64,
    dst_cid: U64,
    src_port: U32,
    dst_port: U32,
    len: U32,
    kind: U16,
    op: U16,
    flags: U32,
    buf_alloc: U32,
    fwd_cnt: U32,
}

const _: () = assert!(size_of::<Raw>() == HEADER);

/// A header as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The context id of the sender.
    pub src_cid: u64,
    /// To whom.
    pub dst_cid: u64,
    /// The sender's port.
    pub src_port: u32,
    /// The receiver's.
    pub dst_port: u32,
    /// Bytes behind the header.
    pub len: u32,
    /// `STREAM`, or something that is not offered.
    pub kind: u16,
    /// `None` for a number that stands for nothing.
    pub op: Option<Op>,
    /// Of a SHUTDOWN.
    pub flags: u32,
    /// All of the sender's room for one connection.
    pub buf_alloc: u32,
    /// Bytes that the sender has passed on, modulo 2^32.
    pub fwd_cnt: u32,
}

impl Header {
    /// What the bytes say.
    pub fn parse(bytes: &[u8; HEADER]) -> Self {
        let raw: Raw = zerocopy::transmute!(*bytes);
        Self {
            src_cid: raw.src_cid.get(),
            dst_cid: raw.dst_cid.get(),
            src_port: raw.src_port.get(),
            dst_port: raw.dst_port.get(),
            len: raw.len.get(),
            kind: raw.kind.get(),
            op: Op::from_number(raw.op.get()),
            flags: raw.flags.get(),
            buf_alloc: raw.buf_alloc.get(),
            fwd_cnt: raw.fwd_cnt.get(),
        }
    }

    /// As bytes.
    pub fn bytes(&self) -> [u8; HEADER] {
        let raw = Raw {
            src_cid: self.src_cid.into(),
            dst_cid: self.dst_cid.into(),
            src_port: self.src_port.into(),
            dst_port: self.dst_port.into(),
            len: self.len.into(),
            kind: self.kind.into(),
            op: self.op.map_or(0, Op::number).into(),
            flags: self.flags.into(),
            buf_alloc: self.buf_alloc.into(),
            fwd_cnt: self.fwd_cnt.into(),
        };
        zerocopy::transmute!(raw)
    }

    /// The refusal of this packet, from whomever it was sent to. There is none of a refusal.
    pub fn refusal(&self) -> Option<Self> {
        (self.op != Some(Op::Reset)).then_some(Self {
            src_cid: self.dst_cid,
            dst_cid: self.src_cid,
            src_port: self.dst_port,
            dst_port: self.src_port,
            len: 0,
            kind: self.kind,
            op: Some(Op::Reset),
            flags: 0,
            buf_alloc: 0,
            fwd_cnt: 0,
        })
    }
}

#[cfg(test)]
#[path = "packet_test.rs"]
mod tests;
